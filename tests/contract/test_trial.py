"""Trials are equal each time, and train as the loop does."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stillhouse.contract import Broken, Subject
from stillhouse.contract.trial import total
from stillhouse.methods import FSP, FT, MLKD
from stillhouse.methods.parse import parse

from .bad import subject


def weights(state: dict[str, Tensor]) -> Tensor:
    return torch.cat([value.double().flatten() for value in state.values()])


def test_two_trials_of_a_method_are_equal_and_training_changes_them() -> None:
    one, other = (Subject(parse("FitNet")[0]).trial() for _ in range(2))
    assert one.losses(subject(FSP).batch())["distillation"] == other.losses(subject(FSP).batch())["distillation"]
    before = weights(one.distillation.state_dict())
    assert weights(one.train().distillation.state_dict()).ne(before).any()
    assert weights(other.train().distillation.state_dict()).equal(weights(one.distillation.state_dict()))


def test_a_successor_takes_over_in_the_middle_of_each_phase(tmp_path: Path) -> None:
    whole, successor = subject(FT).trial().train(), subject(FT).trial()
    before = weights(successor.distillation.state_dict())
    last = subject(FT).trial().train(tmp_path, successor)
    assert weights(successor.distillation.state_dict()).equal(before)
    assert weights(last.distillation.state_dict()).equal(weights(whole.distillation.state_dict()))


def test_losses_are_named_by_phase() -> None:
    trial = subject(FSP).trial()
    losses = trial.losses(subject(FSP).batch())
    assert list(losses) == ["FSP warm-up", "distillation"]
    assert losses["FSP warm-up"] > 0
    assert losses["distillation"] == 0
    assert total(trial.unweighted(*trial.outputs(subject(FSP).batch()), subject(FSP).batch())) == losses["FSP warm-up"]


def test_data_have_a_second_view_where_it_is_needed() -> None:
    assert subject(MLKD).batch().strong is not None
    assert subject(FSP).batch().strong is None


def test_gradients_and_losses_must_be_finite() -> None:
    trial = subject(MLKD).trial()
    with pytest.raises(Broken, match=r"the loss is inf \(now\)"):
        trial.gradients({"now": torch.tensor(torch.inf)})
    parameter = next(trial.distillation.student.parameters())
    with pytest.raises(Broken, match="the loss is finite, but the gradient of student"):
        trial.gradients({"now": (parameter - parameter.detach()).square().sum().sqrt()})
