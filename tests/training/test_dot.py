import copy

import pytest
import torch
from torch import nn

from stillhouse.distillation import Distillation
from stillhouse.methods import CE, KD
from stillhouse.taps import Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.dot import DOT
from stillhouse.training.optimizer import Optimizer
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


def _p(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


def test_recorded_steps() -> None:
    """p has both gradients, q the task's, r distillation's; r is decayed from the first step on here."""
    p, q, r = _p(1.0, -2.0), _p(0.5), _p(0.3)
    optimizer = DOT([{"params": [p, q, r], "weight_decay": 0.01}], lr=0.1, momentum=0.9, delta=0.075)
    recorded = [(0.784, -1.823, 0.6495), (0.415846, -1.511912, 0.9184505), (-0.030828626, -1.120781678, 1.2677424495)]
    plain_r, velocity = 0.3, 0.0
    for expected in recorded:
        distillation = 0.15 * (p - 0.5).square().sum() + 0.5 * (r - 1).square().sum()
        task = 0.5 * (p + 1).square().sum() + 0.5 * (q - 2).square().sum()
        optimizer.follow([task], [distillation])
        assert [*p.tolist(), *q.tolist()] == pytest.approx(expected, rel=1e-9)
        velocity = 0.9 * velocity + plain_r - 1 + 0.01 * plain_r
        plain_r -= 0.1 * velocity
        assert r.item() == pytest.approx(plain_r, rel=1e-12)


def test_delta_0_is_sgd_on_the_sum() -> None:
    ours, theirs = ([_p(1.0, -2.0), _p(0.5)] for _ in range(2))
    dot = DOT([{"params": ours, "weight_decay": 0.01}], lr=0.1, delta=0.0)
    sgd = torch.optim.SGD(theirs, 0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        dot.follow([ours[0].square().sum()], [(ours[0] * ours[1]).sum(), ours[1].exp().sum()])
        sgd.zero_grad()
        torch.autograd.backward([theirs[0].square().sum(), (theirs[0] * theirs[1]).sum(), theirs[1].exp().sum()])
        sgd.step()
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ["task", "distillation"])
def test_one_kind_of_loss_is_plain_sgd(kind: str) -> None:
    ours, theirs = _p(1.0, -2.0), _p(1.0, -2.0)
    dot = DOT([{"params": [ours], "weight_decay": 0.01}], lr=0.1)
    sgd = torch.optim.SGD([theirs], 0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        dot.follow(*([[ours.square().sum()], []] if kind == "task" else [[], [ours.square().sum()]]))
        sgd.zero_grad()
        torch.autograd.backward(theirs.square().sum())
        sgd.step()
        torch.testing.assert_close(ours, theirs)


def test_the_config_chooses_it_and_labels_lead_the_slower_velocity() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    student = tiny()
    distillation = Distillation(student, teacher, [CE(0.1), KD()], TINY_DATA)
    phase = distillation.phases(1)[-1]
    optimizer = Optimizer(phase, TrainConfig(lr=0.1, weight_decay=0.0, optimizer="dot", milestones=()))
    batch, before = tiny_batch(), student.fc.weight.detach().clone()
    terms = phase.terms(batch, teacher(batch.images))
    task, distilled = (torch.autograd.grad(terms[name], student.fc.weight, retain_graph=True)[0] for name in terms)
    optimizer.step(terms)
    kept = optimizer.state_dict()
    (position,) = (i for i, parameter in enumerate(optimizer.parameters) if parameter is student.fc.weight)
    state = kept["state"][position]
    torch.testing.assert_close(state["task velocity"], task)
    torch.testing.assert_close(state["distillation velocity"], distilled)
    torch.testing.assert_close(student.fc.weight.detach(), before - 0.1 * (task + distilled))
    assert (kept["param_groups"][0]["momentum"], kept["param_groups"][0]["delta"]) == (0.9, 0.075)


def test_it_goes_on_from_a_saved_state() -> None:
    one, other = _p(1.0, -2.0), _p(1.0, -2.0)
    first, second = (DOT([{"params": [p], "weight_decay": 0.01}], lr=0.1) for p in (one, other))
    first.follow([one.square().sum()], [one.exp().sum()])
    other.data.copy_(one)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer, p in ((first, one), (second, other)):
        optimizer.follow([p.square().sum()], [p.exp().sum()])
    assert one.tolist() == other.tolist()


@pytest.mark.parametrize("setting", [{"nesterov": True}, {"clip_norm": 1.0}])
def test_settings_that_it_does_not_support_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="--optimizer dot supports neither --nesterov nor --clip_norm"):
        TrainConfig(optimizer="dot", **setting)  # type: ignore[arg-type] # its options by name
