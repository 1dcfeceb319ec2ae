"""A small teacher, trainers of small students, and comparisons of trained weights."""

from collections.abc import Sequence
from pathlib import Path

import torch

from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import CE
from stillhouse.rng import seeded
from stillhouse.taps import Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet

CONFIG = TrainConfig(epochs=3, batch_size=8, lr=0.05)


def teacher_net() -> Tapped:
    with seeded(0, "teacher"):
        return Tapped(QuickNet(width=8))


def trainer(
    methods: Sequence[Method],
    teacher: Tapped | None,
    folder: Path,
    name: str,
    dropout: float = 0.0,
    config: TrainConfig = CONFIG,
) -> StudentTrainer:
    with seeded(0, "student"):
        student = QuickNet(dropout=dropout)
    run = Run(folder, name, {"name": name}, {})
    return StudentTrainer(Distillation(student, teacher, methods, quick_data().info), config, run, name=name)


def weights(one: StudentTrainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in one.model.state_dict().items()}


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


class BatchStatistics(CE):
    """Wants a teacher whose BatchNorms normalise with the batch's statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher_statistics = "batch"
        self.outputs: list[torch.Tensor] = []

    def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.outputs.append(teacher)
        return super().loss(student, teacher, labels)
