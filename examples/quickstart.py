"""The whole way as a library: a teacher, then four students in one room, on scikit-learn's digits. Some minutes."""

from collections.abc import Sequence
from pathlib import Path

import torch

from stillhouse import Distillation, Method, Tapped
from stillhouse.data import load
from stillhouse.methods import AT, CE, KD
from stillhouse.methods.wrappers import ScaleDecoupled
from stillhouse.models.create import network
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.evaluation import evaluate
from stillhouse.training.loop import fit
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer

data, recipe, display = load("digits"), TrainConfig(epochs=20), Display()


def trainer(name: str, architecture: str, methods: Sequence[Method], teacher: Tapped | None = None) -> StudentTrainer:
    """A fresh network, what it learns from, and a folder under runs/quickstart."""
    model = network(architecture, len(data.classes), data.info.image_size, seed=0)
    run = Run(Path("runs/quickstart"), name, identity={"name": name, "epochs": recipe.epochs}, config={})
    return StudentTrainer(Distillation(model, teacher, methods, data.info), recipe, run, name=name)


alone = trainer("teacher", "resnet32", [CE()])
fit(Classroom(None, [alone]), data, display=display)

teacher = Tapped(alone.model)  # any nn.Module that classifies
students = [
    trainer("by itself", "resnet8", [CE()]),
    trainer("KD", "resnet8", [CE(0.1), KD(0.9)], teacher),
    trainer("AT", "resnet8", [CE(), AT()], teacher),
    trainer("regions", "resnet8", [CE(), ScaleDecoupled(KD(0.5), scales=(1, 2))], teacher),
]
fit(Classroom(teacher, students), data, display=display)

outputs = evaluate(teacher.model, data.test, torch.device("cpu"))
for student in students:
    scores = evaluate(student.model.cpu(), data.test, torch.device("cpu"))
    agreement = f"agrees with the teacher on {scores.agreement(outputs):.2f} %"
    display.say(f"{student.name:10} {scores.top1:.2f} % right, {agreement}")
