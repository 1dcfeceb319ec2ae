"""One step of the optimiser: gradients, clipping, decay and the learning rate."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stillhouse.batch import Batch
from stillhouse.distillation import Phase
from stillhouse.method import Group
from stillhouse.taps import Outputs
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer
from tests.helpers.tape import Tape


def _phase(groups: Sequence[Group], lr: float | None = None) -> Phase:
    def terms(batch: Batch, teacher: Outputs | None) -> dict[str, Tensor]:
        raise AssertionError

    return Phase("distillation", 1, [], groups, terms, lr, follows_schedule=lr is None)


def _parameters(count: int = 3) -> list[nn.Parameter]:
    return [nn.Parameter(torch.arange(4.0) + i) for i in range(count)]


def _copies(parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    return [nn.Parameter(p.detach().clone()) for p in parameters]


def _loss(parameters: Sequence[nn.Parameter], step: int) -> Tensor:
    return torch.stack([((i + 1) * p - step).square().sum() for i, p in enumerate(parameters)]).sum()


def _assert_equal(ours: Sequence[nn.Parameter], theirs: Sequence[nn.Parameter]) -> None:
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("nesterov", [False, True])
def test_steps_are_those_of_sgd_with_momentum_and_decay(nesterov: bool) -> None:
    ours = _parameters()
    theirs = _copies(ours)
    optimizer = Optimizer(_phase([Group(ours)]), TrainConfig(lr=0.01, nesterov=nesterov))
    moments: list[Tensor | None] = [None] * len(theirs)
    for step in range(3):
        optimizer.step({"CE": _loss(ours, step), "KD": 0 * ours[0].sum()})
        gradients = torch.autograd.grad(_loss(theirs, step), theirs)
        with torch.no_grad():
            for i, (parameter, gradient) in enumerate(zip(theirs, gradients, strict=True)):
                gradient = gradient + 5e-4 * parameter
                before = moments[i]
                moment = gradient if before is None else 0.9 * before + gradient
                moments[i] = moment
                parameter.sub_(0.01 * (gradient + 0.9 * moment if nesterov else moment))
    _assert_equal(ours, theirs)


def test_terms_are_added() -> None:
    ours = _parameters()
    theirs = _copies(ours)
    apart, together = (Optimizer(_phase([Group(p)]), TrainConfig()) for p in (ours, theirs))
    apart.step({"a": _loss(ours, 0), "b": ours[0].sum()})
    together.step({"sum": _loss(theirs, 0) + theirs[0].sum()})
    _assert_equal(ours, theirs)


def test_gradients_of_the_step_before_are_gone() -> None:
    ours = _parameters(1)
    optimizer = Optimizer(_phase([Group(ours)]), TrainConfig())
    for _ in range(2):
        optimizer.step({"CE": ours[0].sum()})
    assert ours[0].grad is not None
    assert torch.equal(ours[0].grad, torch.ones(4))


@pytest.mark.parametrize("clip_norm", [0.5, 1e6], ids=["active", "inactive"])
def test_clipping_is_torchs_over_all_groups_together(clip_norm: float) -> None:
    ours = _parameters()
    theirs = _copies(ours)
    optimizer = Optimizer(_phase([Group(ours[:1]), Group(ours[1:])]), TrainConfig(clip_norm=clip_norm))
    reference = torch.optim.SGD(theirs, 0.05, 0.9, weight_decay=5e-4)
    for step in range(2):
        optimizer.step({"CE": _loss(ours, step)})
        reference.zero_grad()
        torch.autograd.backward(_loss(theirs, step))
        norm = torch.nn.utils.clip_grad_norm_(theirs, clip_norm)
        assert (norm > clip_norm) == (clip_norm < 1)
        reference.step()
    _assert_equal(ours, theirs)


def test_groups_have_settings_of_their_own() -> None:
    ours = _parameters()
    theirs = _copies(ours)
    groups = [Group(ours[:1]), Group(ours[1:2], lr_scale=0.5), Group(ours[2:], weight_decay=0.0)]
    optimizer = Optimizer(_phase(groups), TrainConfig(epochs=8))
    settings: list[dict[str, object]] = [
        {"params": theirs[:1]},
        {"params": theirs[1:2]},
        {"params": theirs[2:], "weight_decay": 0.0},
    ]
    reference = torch.optim.SGD(settings, lr=0.05, momentum=0.9, weight_decay=5e-4)
    for epoch, decay in ((0, 1.0), (5, 0.1)):
        optimizer.set_lr(epoch)
        for i, group in enumerate(reference.param_groups):
            group["lr"] = decay * (0.025 if i == 1 else 0.05)
        optimizer.step({"CE": _loss(ours, epoch)})
        reference.zero_grad()
        torch.autograd.backward(_loss(theirs, epoch))
        reference.step()
    _assert_equal(ours, theirs)


def test_a_phase_may_have_a_rate_of_its_own() -> None:
    optimizer = Optimizer(_phase([Group(_parameters(1)), Group(_parameters(1), lr_scale=2.0)], lr=0.3), TrainConfig())
    for epoch in (0.0, 200.0):
        optimizer.set_lr(epoch)
        assert [group["lr"] for group in optimizer.state_dict()["param_groups"]] == pytest.approx([0.3, 0.6])


def test_a_warm_up_phase_keeps_the_rate_of_the_config_whatever_the_schedule() -> None:
    optimizer = Optimizer(
        replace(_phase([Group(_parameters(1))]), follows_schedule=False), TrainConfig(epochs=4, lr=0.2)
    )
    for epoch in (0.0, 3.0, 29.0):
        optimizer.set_lr(epoch)
        assert optimizer.lr == 0.2


def test_a_recorded_step_reads_the_learning_rate_of_the_moment_it_is_replayed() -> None:
    eager = _parameters(2)
    recorded = _copies(eager)
    usual, captured = (
        Optimizer(_phase([Group(ours[:1]), Group(ours[1:], lr_scale=0.5)]), TrainConfig(epochs=8))
        for ours in (eager, recorded)
    )
    usual.step({"CE": _loss(eager, 0)})
    captured.step({"CE": _loss(recorded, 0)})  # from now on its momentum is there
    captured.lr_as_tensors()
    (tape := Tape()).capture(lambda: captured.step({"CE": _loss(recorded, 1)}))
    for epoch in (0, 5, 7):
        usual.set_lr(epoch)
        usual.step({"CE": _loss(eager, 1)})
        captured.set_lr(epoch)
        tape.replay()
    _assert_equal(recorded, eager)
    assert captured.state_dict()["param_groups"] == usual.state_dict()["param_groups"]


def test_what_got_no_gradient_does_not_even_decay() -> None:
    used, unused = _parameters(2)
    before = unused.detach().clone()
    Optimizer(_phase([Group([used, unused])]), TrainConfig()).step({"CE": used.sum()})
    assert torch.equal(unused, before)


def test_it_goes_on_from_a_saved_state_at_the_learning_rate_it_had() -> None:
    through = _parameters()
    first = Optimizer(_phase([Group(through)]), TrainConfig(epochs=8))
    first.set_lr(5)
    first.step({"CE": _loss(through, 0)})
    resumed = _copies(through)
    second = Optimizer(_phase([Group(resumed)]), TrainConfig(epochs=8))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.lr == first.lr == 0.05 * 0.1
    first.step({"CE": _loss(through, 1)})
    second.step({"CE": _loss(resumed, 1)})
    for one, other in zip(through, resumed, strict=True):
        assert torch.equal(one, other)


def test_terms_that_train_nothing_are_refused() -> None:
    optimizer = Optimizer(_phase([Group(_parameters(1))]), TrainConfig())
    with pytest.raises(ValueError, match="in the phase 'distillation' nothing depends on CE and KD; add a method that"):
        optimizer.step({"CE": torch.ones(()), "KD": torch.ones(())})
