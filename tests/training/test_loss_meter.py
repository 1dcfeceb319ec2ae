"""Sums of loss terms, and the step in which one became NaN."""

import math

import pytest
import torch

from stillhouse.training.loss_meter import LossMeter


def test_means_and_the_first_term_that_is_not_finite() -> None:
    meter = LossMeter()
    for step in range(1, 5):
        meter.add({"CE": torch.tensor(float(step)), "KD": torch.tensor(math.nan if step >= 3 else 2.0)})
    assert meter.means()["CE"] == pytest.approx(2.5)
    assert meter.first_not_finite() == ("KD", 3)


def test_of_several_terms_in_one_step_the_largest_is_to_blame() -> None:
    meter = LossMeter()
    meter.add({"CE": torch.tensor(2.0), "AT": torch.tensor(-900.0), "KD": torch.tensor(3.0)})
    meter.add({name: torch.tensor(math.nan) for name in ("CE", "AT", "KD")})  # weights are NaN by now
    assert meter.first_not_finite() == ("AT", 2)
    meter.clear()
    meter.add({name: torch.tensor(math.nan) for name in ("CE", "AT", "KD")})
    assert meter.first_not_finite() == ("CE", 1)


def test_a_state_goes_on_while_all_is_finite() -> None:
    meter, other = LossMeter(), LossMeter()
    assert meter.first_not_finite() is None
    meter.add({"CE": torch.tensor(1.0)})
    assert meter.first_not_finite() is None
    other.restore(meter.state(), torch.device("cpu"))
    for one in (meter, other):
        one.add({"CE": torch.tensor(4.0)})
        assert one.means() == {"CE": 2.5}
        assert one.steps == 2


def test_an_epoch_begins_anew_in_the_same_tensors() -> None:
    meter, other = LossMeter(), LossMeter()
    meter.add({"CE": torch.tensor(math.nan)})
    where = [tensor.data_ptr() for tensor in vars(meter).values() if isinstance(tensor, torch.Tensor)]
    meter.clear()
    assert (meter.means(), meter.first_not_finite(), meter.steps) == ({}, None, 0)
    other.restore(meter.state(), torch.device("cpu"))
    for one in (meter, other):
        one.add({"CE": torch.tensor(2.0)})
        one.add({"CE": torch.tensor(4.0)})
        assert one.means() == {"CE": 3.0}
    assert [tensor.data_ptr() for tensor in vars(meter).values() if isinstance(tensor, torch.Tensor)] == where
    meter.clear()
    meter.add({"AB": torch.tensor(1.0), "CE": torch.tensor(5.0)})  # another phase
    assert meter.means() == {"AB": 1.0, "CE": 5.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": "CE"},
        {"names": [1]},
        {"sums": [1.0]},
        {"sums": torch.ones(2)},
        {"sums": torch.tensor([math.nan])},
        {"steps": "2"},
        {"steps": 0},
        {"steps": -1},
    ],
)
def test_a_state_that_cannot_be_one_is_refused(wrong: dict[str, object]) -> None:
    state = {"names": ["CE"], "sums": torch.ones(1), "steps": 2, **wrong}
    with pytest.raises(ValueError, match="the sums of the losses cannot be read"):
        LossMeter().restore(state, torch.device("cpu"))
