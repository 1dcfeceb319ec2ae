"""Accuracy by class: in the order of what changed, with the number of images and the uncertainty."""

import numpy as np
import pytest
import torch

from stillhouse.analysis import plots
from stillhouse.analysis.class_changes import class_changes
from stillhouse.report.intervals import over_images
from stillhouse.training.predictions import Predictions
from tests.helpers.figures import caption, faults, ticks


def predictions(right: dict[int, tuple[int, int]], classes: int) -> Predictions:
    """Return guesses by class: how many are right, of how many."""
    labels = torch.cat([torch.full((count,), label) for label, (_, count) in right.items()])
    rights = torch.cat([torch.arange(count) < good for good, count in right.values()])
    guesses = torch.where(rights, labels, (labels + 1) % classes)
    return Predictions(guesses.int(), torch.full((len(labels),), 0.5), labels.int())


TEACHER = predictions({0: (8, 10), 1: (8, 10), 2: (15, 20)}, 4)
STUDENT = predictions({0: (9, 10), 1: (5, 10), 2: (14, 20)}, 4)
BASELINE = predictions({0: (9, 10), 1: (1, 10), 2: (16, 20)}, 4)
NAMES = ["a", "b", "c", "none"]


def test_classes_stand_in_the_order_of_the_change_over_the_baseline() -> None:
    with plots.style():
        figure = class_changes({"teacher": TEACHER, "student": STUDENT, "baseline": BASELINE}, NAMES, "Nets.")
        assert faults(figure) == []
    left, right = figure.axes
    assert ticks(left) == ["c  (n = 20)", "a  (n = 10)", "b  (n = 10)"]  # -10, 0, +40
    teacher, baseline, student = left.collections[1:]
    assert np.asarray(teacher.get_offsets()).tolist() == [[75, 0], [80, 1], [80, 2]]
    assert np.asarray(baseline.get_offsets()).tolist() == [[80, 0], [90, 1], [10, 2]]
    assert np.asarray(student.get_offsets()).tolist() == [[70, 0], [90, 1], [50, 2]]
    changes = np.asarray(right.collections[1].get_offsets())
    assert changes[:, 0] == pytest.approx([-10, 0, 40])
    expected = over_images(STUDENT.correct[10:20], BASELINE.correct[10:20])
    interval = right.collections[0].get_segments()[2]  # type: ignore[attr-defined]
    assert interval[:, 0] == pytest.approx([expected.low, expected.high])
    assert left.get_xlim()[0] <= 0 < 100 <= left.get_xlim()[1]  # percent are not cut
    assert "change over the baseline" in right.get_xlabel()
    assert caption(figure) == (
        "Nets. 10 to 20 test images of a class. Change: student minus baseline, with its 95 % interval over the "
        "images. 1 without test images."
    )


def test_without_a_baseline_the_change_is_over_the_teacher() -> None:
    figure = class_changes({"teacher": TEACHER, "student": STUDENT}, NAMES, "")
    assert ticks(figure.axes[0]) == ["b  (n = 10)", "c  (n = 20)", "a  (n = 10)"]
    assert figure.axes[1].get_xlabel() == "change over the teacher (points)"


def test_one_image_of_one_class_has_a_wide_interval() -> None:
    one = predictions({0: (1, 1)}, 2)
    with plots.style():
        figure = class_changes({"teacher": one, "student": one}, ["a", "b"], "")
        assert faults(figure) == []
    low, high = figure.axes[1].collections[0].get_segments()[0][:, 0]  # type: ignore[attr-defined]
    assert low < -20
    assert high > 20
    assert ticks(figure.axes[0]) == ["a"]
    assert "1 test image of each class" in caption(figure)


def test_of_many_classes_those_at_either_end_are_shown_and_the_gap_is_marked() -> None:
    names = [f"quite a long name of class {i}" for i in range(100)]
    student = predictions({i: (i, 100) for i in range(100)}, 100)
    teacher = predictions({i: (50, 100) for i in range(100)}, 100)
    with plots.style():
        figure = class_changes({"teacher": teacher, "student": student}, names, "")
        assert faults(figure) == []
    assert ticks(figure.axes[0]) == [*names[:20], *names[80:]]
    assert "The 20 at either end of 100 classes; 60 between them are left out." in caption(figure)
    assert figure.axes[0].lines[-1].get_ydata() == [19.5, 19.5]
