"""Measures of guesses, counted by hand."""

from pathlib import Path

import pytest
import torch

from stillhouse.analysis.metrics import calibration_error
from stillhouse.report.compare import compare
from stillhouse.report.groups import Group
from stillhouse.report.outcomes import agreement, agreements, by_class, flips, names_of_classes, outcome, reliability
from stillhouse.training.evaluation import Scores
from tests.helpers.finished import CE, CLASSES, KD, guessed, record


@pytest.fixture
def group(tmp_path: Path) -> Group:
    """Two seeds of the student by itself and of KD; the images' classes are 0, 1, 2, 2."""
    runs = [record(tmp_path, seed=0, guesses=(0, 1, 0, 0)), record(tmp_path, seed=1, guesses=(0, 1, 2, 2))]
    runs += [record(tmp_path, [CE, KD], 0, guesses=(0, 0, 2, 0)), record(tmp_path, [CE, KD], 1, guesses=(0, 1, 2, 0))]
    (found,) = compare(runs)
    return found


def test_pairs_are_of_equal_seeds(group: Group) -> None:
    base, taught = group.entries
    found = outcome(taught, base)
    assert found.baseline == 100 * (2 / 4 + 3 / 4) / 2
    assert found.negative_flips == 100 * (1 / 4 + 1 / 4) / 2
    assert found.positive_flips == 100 * (1 / 4 + 0) / 2
    assert found.seeds == 75
    assert found.teacher == 70
    assert found.error == pytest.approx(100 * (abs(0.5 - 0.75) + abs(0.75 - 0.75)) / 2)
    assert outcome(base, base).negative_flips is None
    assert agreements(group) == [[50, 62.5], [62.5, 75]]


def test_reliability_is_over_the_images_of_all_seeds(group: Group) -> None:
    assert reliability(group.entries[0]) == [(75, 75, 8)]  # all are 75 % sure; 2 and 4 of 4 are right
    assert reliability(group.entries[1]) == [(75, 100 * 5 / 8, 8)]


def test_flips_have_a_direction() -> None:
    good, bad = guessed((0, 1, 2, 2)), guessed((0, 0, 2, 1))
    assert (flips(good, bad), flips(bad, good), agreement(good, bad)) == (50, 0, 50)


def test_accuracy_by_class_is_a_mean_over_seeds(group: Group) -> None:
    assert by_class(group.entries[1], 3) == [100, 50, 50]
    assert by_class(group.entries[1], 4)[3] is None  # it has no images
    assert names_of_classes(group.runs) == list(CLASSES)


def test_runs_that_kept_no_guesses_have_no_such_numbers(tmp_path: Path) -> None:
    (group,) = compare([record(tmp_path, guesses=None), record(tmp_path, [CE, KD], guesses=None)])
    found = outcome(group.entries[1], group.base)
    assert (found.error, found.baseline, found.negative_flips, found.teacher) == (None, None, None, 70)
    assert names_of_classes(group.runs) == ()


def test_the_calibration_error_is_that_of_inspect(tmp_path: Path) -> None:
    logits, labels = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 5
    scores = Scores(logits, labels)
    from stillhouse.analysis.metrics import error_of_confidence
    from stillhouse.training.predictions import Predictions

    kept = Predictions.of(scores)
    assert error_of_confidence(kept.confidence, kept.correct) == pytest.approx(calibration_error(scores), abs=1e-4)
