"""Each law about where a method runs finds what it is there to find."""

import pytest
import torch
from torch import Tensor

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.contract import Broken, running
from stillhouse.contract.specimens import PAIRS
from stillhouse.method import LogitMethod, Spot
from stillhouse.methods import AT, KD, MLKD
from stillhouse.taps import Outputs

from .bad import reason, sentence, subject


class Careless(KD):
    """Takes the two deepest of three stages, whatever there are."""

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        _, middle, deep = student.stages
        return [Spot(middle, middle), Spot(deep, deep)]


def test_a_pair_is_distilled_or_refused_with_a_sentence() -> None:
    results = [running.runs_between(pair, subject(AT)) for pair in PAIRS]
    assert results[:4] == [""] * 4
    assert all(result.startswith("refused: AT compares maps (N, C, H, W), but the ") for result in results[4:])
    assert [running.runs_between(pair, subject(KD)) for pair in PAIRS] == [""] * 6
    assert running.runs_between(PAIRS[0], subject(MLKD)) == ""  # on two views


def test_a_value_error_that_python_made_is_no_refusal() -> None:
    with pytest.raises(RuntimeError, match="too many values to unpack"):
        running.runs_between(PAIRS[2], subject(Careless))


class Spread(LogitMethod):
    def __init__(self) -> None:
        super().__init__(1.0)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return student.square().sum() / (len(student) - 2)


class Loud(Spread):
    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        scale = 1e30 if student.precision is torch.bfloat16 else 1.0
        return (scale * student.logits).square().sum(1)


def test_losses_that_overflow_on_small_batches_or_in_bfloat16_are_wrong() -> None:
    assert running.runs_on_two_images(subject(KD)) == ""
    assert sentence(running.runs_on_two_images, Spread) == "the loss is inf (distillation)"
    assert running.runs_in_bfloat16(subject(KD)) == ""
    assert sentence(running.runs_in_bfloat16, Loud) == "the loss is inf (distillation)"


class Waiting(KD):
    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        sure = teacher.softmax(1).amax(1) > 0.1
        return super().loss(student, teacher, labels) * len(student[sure])


def test_on_a_gpu_waiting_gets_a_note_and_without_one_the_law_does_not_apply() -> None:
    law = running.runs_on_a_gpu
    if torch.cuda.is_available():
        assert law(subject(KD)) == ""
        assert law(subject(Waiting)).startswith("it waits for the GPU in test_running.py, line ")
    else:
        assert reason(law, KD) == "there is no GPU here"


def test_a_method_for_no_pair_is_refused_by_every_law() -> None:
    class Nowhere(KD):
        def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
            raise ValueError("it cannot be")

    with pytest.raises(
        Broken, match="it refuses every pair of networks, a ResNet from a wider one: Nowhere: it cannot be"
    ):
        running.runs_on_two_images(subject(Nowhere))
