"""A teacher and three students on scikit-learn's digits, as a library: python examples/quickstart.py (a few minutes)"""

from collections.abc import Sequence

from stillhouse import (
    Classroom,
    Display,
    Distillation,
    Method,
    Run,
    StudentTrainer,
    Tapped,
    TrainConfig,
    evaluate,
    fit,
    load,
    network,
)
from stillhouse.methods import AT, CE, KD
from stillhouse.methods.wrappers import ScaleDecoupled

data, config, display = load("digits"), TrainConfig(epochs=20), Display()


def trainer(name: str, architecture: str, methods: Sequence[Method], teacher: Tapped | None = None) -> StudentTrainer:
    """Return a new network, its methods and a folder under runs/quickstart, ready to be trained."""
    model = network(architecture, len(data.classes), data.info.image_size, seed=0)
    run = Run("runs/quickstart", name, identity={"name": name, "epochs": config.epochs})
    return StudentTrainer(Distillation(model, teacher, methods, data.info), config, run, name=name)


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

outputs = evaluate(teacher.model, data.test, "cpu")
for student in students:
    scores = evaluate(student.model.cpu(), data.test, "cpu")
    agreement = f"agrees with the teacher on {scores.agreement(outputs):.2f} %"
    display.say(f"{student.name:10} {scores.top1:.2f} % right, {agreement}")
