"""The strong view in a training: who needs it gets it, and nobody else's run depends on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stillhouse.__main__ import main
from stillhouse.data import Data
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import CE, KD, MLKD
from stillhouse.methods.wrappers import Ramped, StrongView
from stillhouse.rng import seeded
from stillhouse.taps import Tapped
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import fit
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet, quick_net_file, tiny


def two_views() -> Data:
    data = quick_data()
    data.train.strong_view = True
    return replace(data, info=replace(data.info, strong_view=True))


def students(folder: Path, data: Data, *methods: list[Method]) -> list[dict[str, torch.Tensor]]:
    """Trained in one room; weights and buffers"""
    with seeded(0, "teacher"):
        teacher = Tapped(QuickNet(width=8))
    trainers = []
    for i, chosen in enumerate(methods):
        with seeded(0, "student"):
            distillation = Distillation(QuickNet(dropout=0.3), teacher, chosen, data.info)
        trainers.append(StudentTrainer(distillation, TrainConfig(epochs=2, batch_size=8), Run(folder, str(i), {}, {})))
    fit(Classroom(teacher, trainers), data, "cpu")
    return [trainer.model.state_dict() for trainer in trainers]


def test_a_student_of_one_view_is_the_same_beside_one_of_two(tmp_path: Path) -> None:
    (alone,) = students(tmp_path / "alone", quick_data(), [CE(), KD()])
    beside, other = students(tmp_path / "room", two_views(), [CE(), KD()], [CE(), MLKD()])
    assert alone.keys() == beside.keys()
    assert all(torch.equal(alone[name], beside[name]) for name in alone)  # with what its BatchNorms saw
    assert not all(torch.equal(alone[name], other[name]) for name in alone)


def test_a_strong_view_that_no_method_needs_is_not_used() -> None:
    teacher, data = Tapped(tiny(seed=1)).eval(), replace(TINY_DATA, strong_view=True)
    batch = replace(tiny_batch(), strong=tiny_batch(step=1).images)
    one, other = (Distillation(tiny(), teacher, [CE()], data) for _ in range(2))
    one(batch, teacher.forward_batch(batch))
    other(replace(batch, strong=None), teacher.forward_batch(batch))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@pytest.mark.parametrize("wrap", [Ramped, StrongView])
def test_wrappers_pass_on_that_a_method_needs_the_strong_view(wrap: Callable[[Method], Method]) -> None:
    assert not CE().needs_strong_view
    assert MLKD().needs_strong_view
    assert Ramped(MLKD()).needs_strong_view
    assert not Ramped(KD()).needs_strong_view
    assert StrongView(CE()).needs_strong_view
    with pytest.raises(ValueError, match=r"Ramped: it compares two views of each image.* strong_view=True"):
        Distillation(tiny(), tiny(), [Ramped(wrap(MLKD()))], TINY_DATA)


MINE = """
from stillhouse import Method

class Mine(Method):
    def __init__(self, weight: float = 1.0):
        super().__init__(weight)

    @property
    def needs_strong_view(self):
        return True

    def forward(self, student, teacher, batch):
        return (student.strong.logits - teacher.strong.logits).square().mean(1)
"""


def test_the_command_line_switches_it_on_by_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nets, runs = quick_net_file(tmp_path), tmp_path / "runs"
    (tmp_path / "mine.py").write_text(MINE)
    words = f"distill --data digits --teacher {nets}:wide --student {nets}:small --epochs 2 --batch_size 32"
    command = [*words.split(), "--device", "cpu", "--folder", str(runs), "--methods"]

    def outputs(methods: str) -> str:
        assert main([*command, methods]) == 0
        return capsys.readouterr().out

    assert " 1 view an image, " in outputs("CE, KD")
    before = {run.name for run in runs.iterdir()}
    assert " 1 view an image and a strong one, " in outputs("CE, MLKD")
    assert " 1 view an image and a strong one, " in outputs(f"CE, {tmp_path}/mine.py:Mine")
    new = {run.name.rpartition("-")[0] for run in runs.iterdir() if run.name not in before}
    names = ("CE+MLKD", "CE+Mine")  # teacher and baseline are the same runs as without
    assert new == {f"digits-my_nets.py_small-from-my_nets.py_wide-{name}-seed0-epochs2-batch_size32" for name in names}
