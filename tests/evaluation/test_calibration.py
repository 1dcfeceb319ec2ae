"""Temperature scaling: the best temperature found by trying, halves that share no image, each judged by the other."""

import math

import pytest
import torch
from torch import Tensor

from stillhouse.evaluation.calibration import HIGHEST, LOWEST, calibrate, halves, temperature
from stillhouse.training.evaluation import Scores


def _made(images: int, classes: int, factor: float, seed: int = 0) -> Scores:
    """Logits whose own probabilities drew the labels, times a factor: the best temperature is about the factor."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(images, classes, generator=generator, dtype=torch.float64)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    return Scores((factor * logits).float(), labels)


def _loss(logits: Tensor, labels: Tensor, t: float) -> float:
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        total += math.log(sum(math.exp(z / t) for z in row)) - row[label] / t
    return total / len(labels)


def test_the_temperature_is_that_of_least_cross_entropy() -> None:
    scores = _made(200, 4, 3.0)
    found = temperature(scores.logits.double(), scores.labels)
    tried = [found * (1 + step / 1000) for step in range(-50, 51)]
    losses = [_loss(scores.logits.double(), scores.labels, t) for t in tried]
    assert losses.index(min(losses)) == 50


def test_the_temperature_undoes_a_factor_on_the_logits() -> None:
    for factor in (0.25, 1.0, 3.0):
        scores = _made(20_000, 5, factor)
        assert temperature(scores.logits.double(), scores.labels) == pytest.approx(factor, rel=0.05)


def test_a_temperature_beyond_the_range_is_its_end() -> None:
    logits, labels = 5.0 * torch.eye(4, dtype=torch.float64), torch.arange(4)
    assert temperature(logits, labels) == LOWEST
    assert temperature(logits, labels.flip(0)) == HIGHEST


def test_halves_share_no_image_and_have_equally_many_of_each_class() -> None:
    labels = torch.tensor([0] * 7 + [1] * 4 + [2] * 1 + [3] * 9)
    first, second = halves(labels)
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(labels)))
    counts = [labels[half].bincount(minlength=4) for half in (first, second)]
    assert int((counts[0] - counts[1]).abs().max()) == 1
    assert torch.equal(first, halves(labels)[0])


def test_each_half_is_scaled_by_the_temperature_of_the_other() -> None:
    scores = _made(400, 3, 4.0)
    first, second = halves(scores.labels)
    found = calibrate(scores)
    assert found is not None
    fitted = [temperature(scores.logits[half].double(), scores.labels[half]) for half in (first, second)]
    assert found.temperatures == tuple(fitted)
    for half, t in ((first, fitted[1]), (second, fitted[0])):
        expected = (scores.logits[half].double() / t).softmax(1).amax(1)
        assert torch.allclose(found.scaled.confidence[half].double(), expected, atol=1e-6)
    assert torch.equal(found.scaled.guesses, scores.logits.argmax(1).int())


def test_an_overconfident_network_is_calibrated_better_afterwards() -> None:
    found = calibrate(_made(4000, 5, 4.0))
    assert found is not None
    assert found.before.error > 15
    assert found.after.error < 3
    assert found.after.loss < found.before.loss
    assert not found.is_bounded


def test_labels_of_one_half_do_not_move_how_it_is_scaled() -> None:
    scores = _made(400, 3, 4.0)
    first, _ = halves(scores.labels)
    other = scores.logits.clone()
    other[first] *= 3  # and with it the temperature that is fitted on the first half
    before, after = calibrate(scores), calibrate(Scores(other, scores.labels))
    assert before is not None
    assert after is not None
    assert after.temperatures[1] == before.temperatures[1]
    assert after.temperatures[0] == pytest.approx(3 * before.temperatures[0], rel=1e-4)


def test_one_image_has_no_halves() -> None:
    assert calibrate(Scores(torch.ones(1, 3), torch.tensor([0]))) is None
