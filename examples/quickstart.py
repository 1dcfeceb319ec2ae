"""The whole way as a library: a teacher, then four students in one room, on scikit-learn's digits. Some minutes."""

from collections.abc import Sequence
from pathlib import Path

import torch

from stillhouse import Distillation, Method, Tapped
from stillhouse.classroom import Classroom
from stillhouse.data import load
from stillhouse.display import Display
from stillhouse.evaluation import evaluate
from stillhouse.lesson import Lesson
from stillhouse.methods import AT, CE, KD
from stillhouse.networks import network
from stillhouse.recipe import Recipe
from stillhouse.runs import Run
from stillhouse.train import fit
from stillhouse.wrappers import ScaleDecoupled

data, recipe, display = load("digits"), Recipe(epochs=20), Display()


def lesson(name: str, architecture: str, methods: Sequence[Method], teacher: Tapped | None = None) -> Lesson:
    """A fresh network, what it learns from, and a folder under runs/quickstart."""
    model = network(architecture, len(data.classes), data.info.image_size, seed=0)
    run = Run(Path("runs/quickstart"), name, identity={"name": name, "epochs": recipe.epochs}, config={})
    return Lesson(Distillation(model, teacher, methods, data.info), recipe, run, name=name)


alone = lesson("teacher", "resnet32", [CE()])
fit(Classroom(None, [alone]), data, display=display)

teacher = Tapped(alone.model)  # any nn.Module that classifies
students = [
    lesson("by itself", "resnet8", [CE()]),
    lesson("KD", "resnet8", [CE(0.1), KD(0.9)], teacher),
    lesson("AT", "resnet8", [CE(), AT()], teacher),
    lesson("regions", "resnet8", [CE(), ScaleDecoupled(KD(0.5), scales=(1, 2))], teacher),
]
fit(Classroom(teacher, students), data, display=display)

said = evaluate(teacher.model, data.test, torch.device("cpu"))
for student in students:
    scores = evaluate(student.model.cpu(), data.test, torch.device("cpu"))
    agreement = f"agrees with the teacher on {scores.agreement(said):.2f} %"
    display.say(f"{student.name:10} {scores.top1:.2f} % right, {agreement}")
