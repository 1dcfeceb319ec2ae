from collections.abc import Mapping, Sequence

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import Group, Method, Spot, Warmup
from stillhouse.methods import CE, KD
from stillhouse.methods.wrappers import Ramped, StrongView
from stillhouse.taps import Outputs, Tapped
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


class _Demanding(Method):
    """Has a use for everything that a method may have."""

    def __init__(self) -> None:
        super().__init__(weight=3.0)
        self.teacher_statistics = "batch"
        self.layer = nn.Linear(12, 18)
        self.stepped: list[Batch] = []

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        return [Spot("embedding", "embedding")]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.built = student["embedding"].shape, teacher["embedding"].shape

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [Warmup(2, [self.layer], self, lr=0.5)]

    def groups(self) -> Sequence[Group]:
        return [Group(list(self.parameters()), lr_scale=0.1)]

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        loss: Tensor = (self.layer(student["embedding"]) - teacher["embedding"]).square().mean(1)
        return loss

    def begin_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def after_step(self, batch: Batch) -> None:
        self.stepped.append(batch)

    def observations(self) -> Mapping[str, Tensor]:
        return {"seven": torch.tensor(7.0)}

    def deploy(self, student: nn.Module) -> nn.Module:
        return nn.Sequential(student, nn.Identity())


def test_all_but_the_loss_is_the_bases() -> None:
    base, teacher = _Demanding(), Tapped(tiny(width=6, seed=1)).eval()
    distillation = Distillation(tiny(), teacher, [CE(), Ramped(base, epochs=4)], TINY_DATA)
    wrapper = distillation.methods["Ramped"]
    assert isinstance(wrapper, Ramped)

    assert base.spots == wrapper.spots == [Spot("embedding", "embedding")]
    assert base.built == ((2, 12), (2, 18))
    assert distillation.teacher_mode == "batch_stats"
    warmup, rest = distillation.phases(5)
    assert (warmup.epochs, warmup.trains, warmup.lr) == (2, [base.layer], 0.5)
    assert [(group.lr_scale, len(group.parameters)) for group in rest.groups[1:]] == [(0.1, 2)]
    assert rest.tasks == {"CE"}
    assert distillation.deploy() is not distillation.student.model

    batch = tiny_batch()
    outputs = distillation.student(batch.images), teacher(batch.images)
    torch.testing.assert_close(wrapper(*outputs, batch), base(*outputs, batch) / 4)
    torch.testing.assert_close(distillation(batch, outputs[1])["Ramped"], 3 * base(*outputs, batch).mean() / 4)
    wrapper.begin_epoch(3)
    assert base.epoch == 3
    wrapper.after_step(batch)
    assert base.stepped == [batch]
    assert wrapper.observations() == base.observations()


@pytest.mark.parametrize(("base", "needs_teacher"), [(CE(), False), (KD(), True)])
def test_what_needs_no_teacher_needs_none_when_wrapped(base: Method, needs_teacher: bool) -> None:
    assert StrongView(Ramped(base)).needs_teacher == needs_teacher
