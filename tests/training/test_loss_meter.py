"""Sums of loss terms, and the step in which one ceased to be a number."""

import math

import pytest
import torch

from stillhouse.training.loss_meter import LossMeter


def test_means_and_the_first_term_that_is_no_number() -> None:
    meter = LossMeter()
    for step in range(1, 5):
        meter.add({"CE": torch.tensor(float(step)), "KD": torch.tensor(math.nan if step >= 3 else 2.0)})
    assert meter.means()["CE"] == pytest.approx(2.5)
    assert meter.spoilt() == ("KD", 3)


def test_nothing_is_spoilt_while_all_is_finite_and_a_state_goes_on() -> None:
    meter, other = LossMeter(), LossMeter()
    assert meter.spoilt() is None
    meter.add({"CE": torch.tensor(1.0)})
    assert meter.spoilt() is None
    other.restore(meter.state(), torch.device("cpu"))
    for one in (meter, other):
        one.add({"CE": torch.tensor(4.0)})
        assert one.means() == {"CE": 2.5}
        assert one.steps == 2
