"""A linear layer trained by SGD on frozen features, and what was published of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from stillhouse.analysis import sgd_probe as module
from stillhouse.analysis.linear_probe import Features
from stillhouse.analysis.sgd_probe import sgd_probe, transfer
from stillhouse.data.named import DATASETS
from stillhouse.rng import seeded, stream


def clouds(count: int, seed: int, spread: float) -> Features:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    values = F.one_hot(labels, 5) + spread * torch.randn(count, 5, generator=generator)
    return Features(values.double(), labels)


def by_hand(train: Features, test: Features, decay: float, seed: int) -> float:
    """The same with the updates of SGD written out."""
    with seeded(seed, "probe"):
        layer = torch.nn.Linear(5, 3)
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    moments = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for epoch in range(240):
        rate = 0.05 * 0.1 ** sum(epoch >= drop for drop in (150, 180, 210))
        order = torch.randperm(len(train.labels), generator=stream(seed, "probe", epoch))
        for first in range(0, len(order), 128):
            rows = order[first : first + 128]
            values, labels = train.values[rows].float(), train.labels[rows]
            wrong = (values @ weight.T + bias).softmax(1) - F.one_hot(labels, 3)
            gradients = [wrong.T @ values / len(rows) + decay * weight, wrong.mean(0) + decay * bias]
            for value, moment, gradient in zip((weight, bias), moments, gradients, strict=True):
                moment.mul_(0.9).add_(gradient)
                value -= rate * moment
    return 100 * ((test.values.float() @ weight.T + bias).argmax(1) == test.labels).double().mean().item()


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_it_is_crds_schedule(decay: float) -> None:
    train, test = clouds(150, 0, 0.6), clouds(600, 1, 0.6)
    assert sgd_probe(train, test, decay) == pytest.approx(by_hand(train, test, decay, 0), abs=0.2)
    assert 60 < sgd_probe(train, test, decay) < 95


def test_equal_seeds_give_equal_results_and_global_numbers_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EPOCHS", 3)
    train, test = clouds(150, 0, 2), clouds(999, 1, 2)
    before = torch.random.get_rng_state()
    assert sgd_probe(train, test) == sgd_probe(train, test)
    assert len({sgd_probe(train, test, seed=seed) for seed in range(4)}) > 1
    assert torch.equal(before, torch.random.get_rng_state())


def test_features_that_cannot_be_learned_from_are_refused() -> None:
    train, test = clouds(30, 0, 1), clouds(30, 1, 1)
    with pytest.raises(ValueError, match="two classes or more"):
        sgd_probe(train.rows(torch.arange(0, 30, 3)), test)
    with pytest.raises(ValueError, match="NaN or infinite for some images"):
        sgd_probe(Features(train.values * math.inf, train.labels), test)
    with pytest.raises(ValueError, match=r"too large for learning rate 0\.05"):
        sgd_probe(Features(train.values * 1e25, train.labels), Features(test.values * 1e25, test.labels))


def test_what_was_published_is_of_data_that_are_read_by_name() -> None:
    found = transfer()
    assert set(found.top1) <= set(DATASETS)
    assert found.sentence("cifar10") == ""
    sentence = found.sentence("stl10")
    assert sentence.startswith("published for wrn_40_2-wrn_16_2 of cifar100: student 69.7, teacher 68.6, KD 70.9, ")
    assert sentence.endswith("; not verified)")
