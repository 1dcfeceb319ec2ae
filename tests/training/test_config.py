import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stillhouse.batch import Batch
from stillhouse.method import Group, Phase
from stillhouse.taps import Outputs
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer


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


def test_the_protocol_drops_after_150_180_and_210_of_240_epochs() -> None:
    recipe = TrainConfig()
    rates = [recipe.lr_at(epoch) for epoch in range(240)]
    expected = [0.05] * 150 + [0.005] * 30 + [0.0005] * 30 + [0.00005] * 30
    assert rates == pytest.approx(expected, rel=1e-12)


def test_the_protocol_scales_with_the_number_of_epochs() -> None:
    recipe = TrainConfig(epochs=8)
    assert [recipe.lr_at(epoch) for epoch in range(8)] == pytest.approx([0.05] * 5 + [0.005, 0.0005, 0.00005])


def test_milestones_may_be_epochs() -> None:
    recipe = TrainConfig(epochs=100, lr=1.0, milestones=(30, 60), lr_decay=0.2)
    assert [recipe.lr_at(epoch) for epoch in (0, 29.99, 30, 59, 60, 99)] == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04])


def test_no_milestones_keep_the_rate() -> None:
    assert TrainConfig(milestones=()).lr_at(239) == 0.05


def test_cosine_falls_from_lr_to_zero() -> None:
    recipe = TrainConfig(epochs=10, lr=0.4, schedule="cosine")
    for epoch in (0, 2.5, 5, 9.75):
        assert recipe.lr_at(epoch) == pytest.approx(0.2 * (1 + math.cos(math.pi * epoch / 10)))
    assert recipe.lr_at(10) == pytest.approx(0, abs=1e-12)
    assert recipe.lr_changes_inside_epochs


def test_warm_up_rises_linearly_to_the_schedule() -> None:
    recipe = TrainConfig(lr=0.4, lr_warmup=4)
    assert [recipe.lr_at(epoch) for epoch in (1, 2, 3.5, 4, 10)] == pytest.approx([0.1, 0.2, 0.35, 0.4, 0.4], rel=1e-6)
    assert 0 < recipe.lr_at(0) < 1e-8  # not 0, with which BatchNorm statistics would move but no parameter
    assert recipe.lr_changes_inside_epochs
    assert not TrainConfig().lr_changes_inside_epochs


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"batch_size": 1}, "--batch_size must be at least 2"),
        ({"lr": 0.0}, "--lr must be positive, not 0.0"),
        ({"lr": math.nan}, "--lr must be positive, not nan"),
        ({"lr": math.inf}, "--lr must be positive, not inf"),
        ({"momentum": 1.0}, "--momentum must be at least 0 and below 1, not 1.0"),
        ({"momentum": math.nan}, "--momentum must be at least 0 and below 1, not nan"),
        ({"weight_decay": -1e-4}, "--weight_decay must be 0 or more, not -0.0001"),
        ({"lr_decay": math.nan}, "--lr_decay must be 0 or more, not nan"),
        ({"lr_warmup": -1.0}, "--lr_warmup must be 0 or more"),
        ({"clip_norm": -1.0}, "--clip_norm must be 0 or more"),
        ({"optimizer": "dot", "nesterov": True}, "--optimizer dot knows neither --nesterov nor --clip_norm"),
        ({"optimizer": "dot", "clip_norm": 1.0}, "--optimizer dot knows neither --nesterov nor --clip_norm"),
    ],
)
def test_recipes_that_cannot_train_are_refused(wrong: dict[str, float | str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**wrong)  # type: ignore[arg-type] # its options by name


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
        assert [group["lr"] for group in optimizer.sgd.param_groups] == pytest.approx([0.3, 0.6])


def test_a_warm_up_phase_keeps_the_recipes_rate_whatever_the_schedule() -> None:
    optimizer = Optimizer(
        replace(_phase([Group(_parameters(1))]), follows_schedule=False), TrainConfig(epochs=4, lr=0.2)
    )
    for epoch in (0.0, 3.0, 29.0):
        optimizer.set_lr(epoch)
        assert optimizer.sgd.param_groups[0]["lr"] == 0.2


def test_what_got_no_gradient_does_not_even_decay() -> None:
    used, unused = _parameters(2)
    before = unused.detach().clone()
    Optimizer(_phase([Group([used, unused])]), TrainConfig()).step({"CE": used.sum()})
    assert torch.equal(unused, before)
