from collections.abc import Mapping, Sequence
from types import FunctionType

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.distillation import Distillation
from stillhouse.method import Group, Method, Spot, SpotMethod, Warmup
from stillhouse.methods import CE, KD, OFD, FitNet
from stillhouse.methods.wrappers import Ramped
from stillhouse.methods.wrappers.bundle import Bundle
from stillhouse.methods.wrappers.delegating import Delegating
from stillhouse.taps import Outputs, Tapped
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


class _Inside(SpotMethod):
    """Answers every hook in a way of its own."""

    def __init__(self, weight: float = 1.0, place: str = "embedding"):
        super().__init__(weight)
        self.place = place
        self.layer = nn.Linear(2, 2)
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.heard: list[object] = []

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        return [Spot(self.place, self.place), Spot("logits", "logits")]

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [Warmup(3, [self.layer], self)]

    def groups(self) -> Sequence[Group]:
        return [Group(list(self.layer.parameters()), lr_scale=0.1)]

    def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return student[spot.student].sum(1)

    def begin_epoch(self, epoch: int) -> None:
        self.heard.append(epoch)

    def after_step(self, batch: Batch) -> None:
        self.heard.append(batch)

    def observations(self) -> Mapping[str, Tensor]:
        return {"weight": torch.tensor(self.weight)}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return {"sum": self.weight * student.logits.sum(1)}

    def deploy(self, student: nn.Module) -> nn.Module:
        return nn.Sequential(student, nn.Identity())


class _Both(Bundle):
    """The sum of its terms, with a parameter of its own."""

    def __init__(self, terms: Sequence[SpotMethod]):
        super().__init__(terms, 1.0)
        self.own = nn.Parameter(torch.ones(1))
        self.constant = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.own * torch.stack([term(student, teacher, batch) for _, term in self.named_terms()]).sum(0)


def test_every_hook_of_the_contract_is_passed_on() -> None:
    hooks = {
        name
        for name, member in vars(Method).items()
        if isinstance(member, FunctionType | property) and not name.startswith("__")
    }
    assert hooks - set(vars(Delegating)) == {"forward", "at_spot"}


def test_every_hook_reaches_all_terms() -> None:
    first, second = _Inside(2.0), _Inside(5.0, place="last_stage")
    both = _Both([first, second])
    student, teacher = Tapped(tiny()), Tapped(tiny(seed=1)).eval()
    distillation = Distillation(student, teacher, [both], TINY_DATA)

    assert first.spots == [Spot("embedding", "embedding"), Spot("logits", "logits")]
    assert both.spots == [*first.spots, Spot("last_stage", "last_stage")]
    assert [warmup.trains for _, warmup in distillation.warmups] == [[first.layer], [second.layer]]
    assert both.groups() == [*first.groups(), *second.groups(), Group([both.own])]

    batch = tiny_batch()
    distillation.begin_epoch(4)
    distillation.after_step(batch)
    assert first.heard == second.heard == [4, batch]
    assert {name: value.item() for name, value in both.observations().items()} == {
        "_Inside.weight": 2,
        "_Inside2.weight": 5,
    }
    outputs = student(batch.images)
    by_image = both.per_image(outputs, outputs, batch)
    assert list(by_image) == ["_Inside.sum", "_Inside2.sum"]
    assert torch.equal(by_image["_Inside2.sum"], 5 * outputs.logits.sum(1))
    outer = both.deploy(student.model)
    assert isinstance(outer, nn.Sequential)
    assert isinstance(outer[0], nn.Sequential)
    assert outer[0][0] is student.model


@pytest.mark.parametrize("terms", [[CE(), CE()], [CE(), KD()], [OFD(), KD()]])
def test_one_demanding_term_is_enough(terms: Sequence[SpotMethod]) -> None:
    both = _Both(terms)
    assert both.needs_teacher == any(term.needs_teacher for term in terms)
    assert both.teacher_statistics == ("batch" if isinstance(terms[0], OFD) else "running")
    assert not both.needs_strong_view


def test_one_term_of_two_views_is_enough() -> None:
    class TwoViews(CE):
        @property
        def needs_strong_view(self) -> bool:
            return True

    assert _Both([CE(), TwoViews()]).needs_strong_view
    assert not _Both([CE(), CE()]).needs_strong_view


def test_a_single_method_inside_is_built_like_any_other() -> None:
    base = FitNet()
    wrapper = Ramped(base)
    Distillation(tiny(), tiny(width=6), [wrapper], TINY_DATA)
    assert len(base.connectors) == 1
    assert wrapper.groups() == base.groups()


def test_without_parameters_of_its_own_there_is_no_further_group() -> None:
    both = _Both([_Inside()])
    both.own.requires_grad_(False)
    assert len(both.groups()) == 1
