"""A linear classifier on frozen features."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stillhouse.analysis.linear_probe import STRENGTHS, Features, at_an_end, features, probe
from stillhouse.anatomy import Anatomy
from stillhouse.taps import Tapped
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet


def clouds(count: int, seed: int, spread: float = 1.0, classes: int = 3) -> Features:
    """Points around the corners of a simplex, in other units for each feature, and one feature that never changes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    values = F.one_hot(labels, 5) + spread * torch.randn(count, 5, generator=generator)
    values = torch.cat([values * torch.tensor([1.0, 100.0, 0.01, 1.0, 1.0]), torch.full((count, 1), 7.0)], 1)
    return Features(values.double(), labels)


def test_it_finds_the_minimum_of_its_loss() -> None:
    """The same classifier by gradient descent in PyTorch, at the strength that was chosen."""
    train, test = clouds(90, 0), clouds(60, 1)
    outcome = probe(train, test, validation=test)
    mean, deviation = train.values.mean(0), train.values.std(0, correction=0).clamp(min=1e-9)
    deviation[-1] = 1
    weight = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def logits(values: Tensor) -> Tensor:
        return F.linear((values - mean) / deviation, weight, bias)

    for _ in range(500):
        loss = F.cross_entropy(logits(train.values), train.labels) + outcome.strength / 2 * weight.square().sum()
        for parameter, gradient in zip((weight, bias), torch.autograd.grad(loss, [weight, bias]), strict=True):
            parameter.data -= 0.5 * gradient
    top1 = 100 * (logits(test.values).argmax(1) == test.labels).double().mean().item()
    assert outcome.top1 == pytest.approx(top1)
    assert outcome.chosen_top1 == outcome.top1  # it was chosen by these images
    assert outcome.chosen_by == 60
    assert outcome.is_converged


def test_equal_calls_give_equal_numbers_and_units_do_not_matter() -> None:
    train, test = clouds(120, 0), clouds(60, 1)
    scales = torch.tensor([3.0, 1e-4, 1e5, 1.0, 0.5, 2.0])
    first, again = probe(train, test), probe(train, test)
    scaled = probe(replace(train, values=train.values * scales), replace(test, values=test.values * scales))
    assert first == again == scaled
    assert first.chosen_by == 24


def test_regularisation_is_chosen_by_held_out_training_images_never_by_the_test_images() -> None:
    train, test = clouds(120, 0, spread=2.0), clouds(60, 1)
    outcome = probe(train, test)
    spoilt = probe(train, replace(test, labels=(test.labels + 1) % 3))
    assert (outcome.strength, outcome.chosen_top1) == (spoilt.strength, spoilt.chosen_top1)
    assert spoilt.top1 < 40 < outcome.top1
    assert outcome.strength in STRENGTHS


def test_of_equally_good_strengths_the_strongest_is_taken() -> None:
    outcome = probe(clouds(90, 0, spread=0.01), clouds(30, 1, spread=0.01))
    assert (outcome.top1, outcome.strength, outcome.is_at_an_end) == (100.0, STRENGTHS[0], False)


def test_an_end_of_the_range_is_said_only_if_the_strength_beside_it_is_worse() -> None:
    assert at_an_end([(90, 10), (80, 1), (70, 0.1)], 10)
    assert at_an_end([(70, 10), (80, 1), (90, 0.1)], 0.1)
    assert not at_an_end([(90, 10), (90, 1), (70, 0.1)], 10)
    assert not at_an_end([(70, 10), (90, 1), (80, 0.1)], 1)


def test_two_classes_are_enough_and_one_is_not() -> None:
    assert probe(clouds(60, 0, 0.3, classes=2), clouds(30, 1, 0.3, classes=2)).top1 > 90
    with pytest.raises(ValueError, match="training images of two classes or more"):
        probe(clouds(60, 0, classes=1), clouds(30, 1))


def test_one_image_a_class_has_nothing_to_choose_by() -> None:
    with pytest.raises(ValueError, match="two training images of a class"):
        probe(clouds(3, 0), clouds(30, 1))


def test_features_that_are_not_finite_are_refused() -> None:
    train = clouds(60, 0)
    train.values[3, 2] = torch.nan
    with pytest.raises(ValueError, match="features are NaN or infinite"):
        probe(train, clouds(30, 1))


def test_features_are_what_the_head_reads_of_plain_images_in_eval_mode() -> None:
    data, model = quick_data(), QuickNet(4)
    net = Tapped(model).train()
    seen = features(net, data.train, torch.device("cpu"))
    assert net.training  # as it was
    images = torch.cat([batch.images for batch in data.train.batches("cpu", 7)])
    with torch.no_grad():
        expected = torch.cat([model.eval()(part) for part in torch.split(images, 5)])
        logits = net.head(seen.values.float())
    torch.testing.assert_close(logits, expected)
    assert torch.equal(seen.labels, data.train.labels)
    assert not seen.values.requires_grad


def test_a_network_without_a_known_head_is_refused() -> None:
    headless = Tapped(QuickNet(4), Anatomy(stages=("stage1",)))
    with pytest.raises(ValueError, match=r"no classifier was found at the end of this QuickNet.* --anatomy.head"):
        features(headless, quick_data().train, torch.device("cpu"))
