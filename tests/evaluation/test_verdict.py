"""The verdict: the gain first, with what the interval says, then the gap to the teacher and the sizes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.evaluation.verdict import verdict
from stillhouse.taps import Tapped
from tests.helpers.evaluations import made

STUDENT, TEACHER = made("student", 30, "small"), made("teacher", 29, "large")


def test_a_gain_is_said_first_with_its_interval_and_what_that_means() -> None:
    better, gap, size = verdict([made("student", 3, "small"), TEACHER, made("baseline", 30, "alone")], 32)
    assert better.startswith("gain over the baseline alone: +45.00 points, 95 % interval +")
    assert better.endswith("(paired over 60 images), which excludes zero: the student is better")
    assert gap.startswith("gap to the teacher large: +43.33 points")
    assert size.startswith("size: 100 % (")
    worse, *_ = verdict([STUDENT, made("baseline", 3, "alone")], 32)
    assert worse.startswith("gain over the baseline alone: -45.00 points, 95 % interval -")
    assert worse.endswith("which excludes zero: the student is worse")


def test_an_interval_that_includes_zero_decides_nothing() -> None:
    unknown, gap, _ = verdict([STUDENT, TEACHER], 32)
    assert unknown == "gain: not known without a baseline, the student trained by itself; give --baseline"
    assert gap.startswith("gap to the teacher large: -1.67 points")
    assert gap.endswith("which includes zero, so these images cannot tell which is better")
    assert verdict([STUDENT], 32) == []


class Uncountable(nn.Module):
    """A network that cannot be run on a blank image."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(7))

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("no")


def test_sizes_are_beside_the_teachers_and_macs_are_left_out_if_they_cannot_be_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes = iter([(2_000_000, 30_000_000), (8_000_000, 1_000_000_000)])
    monkeypatch.setattr("stillhouse.evaluation.verdict.size_of", lambda *_: next(sizes))
    *_, size = verdict([STUDENT, TEACHER], 32)
    assert size == "size: 25 % (2.0 M of 8.0 M) of the teacher's parameters, 3 % (30.0 M of 1.0 G) of its MACs"
    monkeypatch.undo()
    net = replace(STUDENT.network, net=Tapped(Uncountable(), Anatomy()))
    *_, size = verdict([replace(STUDENT, network=net), TEACHER], 32)
    assert size.endswith("of the teacher's parameters; MACs could not be counted")
