"""Robustness: counts of right guesses, the same however images are batched; pixels that are not known are refused."""

from dataclasses import replace

import pytest
import torch

from stillhouse.data import Data
from stillhouse.evaluation import robustness as module
from stillhouse.evaluation.corruptions import CORRUPTIONS, Corruption
from stillhouse.evaluation.measured import Measured, measured
from stillhouse.evaluation.robustness import Robustness, passes, robustness, some
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net

CPU = torch.device("cpu")


def _student(data: Data) -> Measured:
    return measured("student", Teacher(teacher_net(), "net"), data, CPU)


def test_images_that_are_left_alone_are_guessed_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    data = quick_data()
    same = Corruption("same", (0,) * 5, (0,) * 5, lambda pixels, *_: pixels, "")
    student = _student(data)
    found = robustness([student], data, CPU, 1000, [same])
    assert found.clean["student"] == student.right
    assert found.right["student"]["same"] == [student.right] * 5
    assert found.images == found.of == len(data.test)
    assert found.relative("student") == pytest.approx(100.0)


def test_counts_do_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    data = quick_data()
    student = _student(data)
    together = robustness([student], data, CPU, 1000)
    monkeypatch.setattr(module, "MANY", 7)
    told: list[int] = []
    assert robustness([student], data, CPU, 1000, done=told.append) == together
    assert told == sorted(set(told))
    assert (told[0], told[-1]) == (7, passes(len(data.test)))
    assert set(together.right["student"]) == {one.name for one in CORRUPTIONS}


def test_images_are_drawn_evenly_and_more_hold_the_fewer() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50 + [2] * 3)
    few, many = some(labels, 9), some(labels, 40)
    assert labels[few].bincount().tolist() == [3, 3, 3]
    assert set(few.tolist()) <= set(many.tolist())
    assert len(some(labels, 1000)) == 103
    assert some(labels, 1000).tolist() == list(range(103))


def test_pixels_that_cannot_be_recovered_are_refused() -> None:
    data = quick_data()
    student = _student(data)
    other = replace(data, mean=(0.1, 0.2, 0.3))
    with pytest.raises(ValueError, match="not pixels from 0 to 255"):
        robustness([student], other, CPU, 10)


def test_the_mean_is_relative_to_clean_images() -> None:
    found = Robustness(10, 10, 32, {"student": 8, "teacher": 0}, {"student": {"a": [8, 4], "b": [2, 2]}, "teacher": {}})
    assert found.relative("student") == pytest.approx(100 * 4 / 8)
    assert found.relative("teacher") is None
