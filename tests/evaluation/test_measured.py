"""Networks beside each other: roles, changes, and outputs that are probabilities or no numbers."""

import pytest
import torch

from stillhouse.evaluation.measured import by_role, changes, measured
from stillhouse.training.evaluation import Scores
from tests.helpers.data import quick_data
from tests.helpers.evaluations import LABELS, made


def test_pictures_show_teacher_student_and_baseline_in_this_order() -> None:
    networks = [made("student", 5), made("teacher", 3), made("baseline", 9), made("against", 1)]
    assert list(by_role(networks)) == ["teacher", "student", "baseline"]
    assert by_role(networks)["baseline"].correct.sum() == 51


def test_changes_are_from_the_others_to_the_student() -> None:
    found = changes([made("student", 5), made("teacher", 3), made("against", 9)])
    assert {role: (one.positive, one.negative) for role, one in found.items()} == {"teacher": (0, 2), "against": (4, 0)}


def test_probabilities_become_their_logarithms() -> None:
    network, data = made("student", 0).network, quick_data()
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    found = measured("student", network, data, torch.device("cpu"), Scores(probabilities, LABELS[:2]))
    assert torch.allclose(found.scores.logits.softmax(1), probabilities, atol=1e-6)
    assert found.scores.logits.isfinite().all()
    assert (found.right, found.scores.loss > 10) == (1, True)


def test_outputs_that_are_no_numbers_are_refused() -> None:
    network, data = made("student", 0).network, quick_data()
    with pytest.raises(ValueError, match="contain NaN or infinity"):
        measured("student", network, data, torch.device("cpu"), Scores(torch.full((3, 3), torch.nan), LABELS[:3]))
