"""A loop of one's own around a `Distiller` gives the very weights of the package's loop."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse import Batch, Distiller, Method, TrainConfig
from stillhouse.batch import DataInfo
from stillhouse.data import Data
from stillhouse.methods import AT, CE, CRD, FT, KD, SP, FitNet, SemCKD
from stillhouse.methods.wrappers import Ramped, SpotAdaptive
from stillhouse.rng import seeded
from stillhouse.taps import Outputs
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.processes import together
from tests.helpers.training import BatchStatistics, assert_same, teacher_net, trainer, weights
from tests.test_distributed import plain_net

CONFIG = TrainConfig(epochs=2, batch_size=8, lr=0.05, clip_norm=1.0)
DATA = DataInfo(4, 16, torch.arange(40) % 4, batch_size=8)
Methods = Callable[[], list[Method]]


def distiller(methods: Methods) -> Distiller:
    with seeded(0, "student"):
        student = QuickNet()
    one = Distiller(student, teacher_net().model, methods(), quick_data().info)
    return one.to(memory_format=torch.channels_last)  # as the package has it


def step(one: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    optimizer.zero_grad()
    one(
        batch.images.contiguous(memory_format=torch.channels_last), batch.labels, batch.indices, batch.strong
    ).loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], CONFIG.clip_norm)
    optimizer.step()


@dataclass(frozen=True)
class Warm:
    """The images of a warm-up's epochs, which is what a data loader is: another order each time."""

    data: Data
    epochs: int

    def __post_init__(self) -> None:
        self.__dict__["left"] = iter(range(self.epochs))

    def __iter__(self):  # type: ignore[no-untyped-def]
        for batch in self.data.train.epoch(next(self.__dict__["left"]), "cpu"):
            yield batch.images.contiguous(memory_format=torch.channels_last), batch.labels, batch.indices


def trained(one: Distiller, data: Data, warm: int = 0) -> Distiller:
    if warm:
        one.warm_up(Warm(data, warm), CONFIG)
    optimizer = torch.optim.SGD(one.groups(CONFIG.lr, CONFIG.weight_decay), momentum=CONFIG.momentum, fused=True)
    for epoch in range(CONFIG.epochs):
        one.train()
        one.begin_epoch(epoch, data.train.steps)
        for group, now in zip(optimizer.param_groups, one.groups(CONFIG.lr_at(epoch), 0.0), strict=True):
            group["lr"] = now["lr"]
        for batch in data.train.epoch(epoch + warm, "cpu"):
            step(one, optimizer, batch)
            one.after_step()
    return one


def plain() -> list[Method]:
    return [CE(), KD(), AT(), FitNet(), SP()]


def with_memory() -> list[Method]:
    return [CE(), CRD(num_negatives=6, dim=8), SemCKD(), Ramped(KD(), epochs=2)]


def with_warm_up() -> list[Method]:
    return [CE(), FT(warmup_epochs=2)]


def routed() -> list[Method]:
    return [CE(), SpotAdaptive([KD(), AT()])]


def by_batch() -> list[Method]:
    return [BatchStatistics(), KD()]


@pytest.mark.parametrize(
    ("methods", "warm"), [(plain, 0), (with_memory, 0), (with_warm_up, 2), (routed, 0), (by_batch, 0)]
)
def test_ones_own_loop_learns_what_the_package_s_loop_learns(tmp_path: Path, methods: Methods, warm: int) -> None:
    data, teacher = quick_data(), teacher_net()
    known = trainer(methods(), teacher, tmp_path, "known", config=CONFIG)
    fit(Classroom(teacher, [known]), data, "cpu")
    mine = trained(distiller(methods), data, warm)
    assert_same(weights(known), mine.deploy().state_dict())
    assert_same(known.distillation.state_dict(), mine.distillation.state_dict())


def test_the_teacher_is_no_part_of_it_and_follows_to_devices() -> None:
    teacher = QuickNet(width=8)
    one = Distiller(QuickNet(), teacher, [CE(), FitNet()], DATA).train()
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    mine = {id(parameter) for parameter in one.parameters()}
    assert not mine & {id(parameter) for parameter in teacher.parameters()}
    connectors = [p for p in one.distillation.methods.parameters()]
    assert connectors
    assert {id(p) for p in connectors} <= mine
    one.to(torch.float64)
    assert next(teacher.parameters()).dtype == torch.float64


def test_what_is_saved_has_no_connectors_and_no_teacher() -> None:
    one = Distiller(QuickNet(), QuickNet(width=8), [CE(), FitNet()], DATA)
    assert one.deploy().state_dict().keys() == QuickNet().state_dict().keys()
    assert one.deploy() is one.student


class Moving(CE):
    """Weighted by the position in the run."""

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return batch.epoch * super().forward(student, teacher, batch)


@pytest.mark.parametrize("after", [0, 3])
def test_a_checkpoint_goes_on_where_it_was(after: int) -> None:
    """Resume in the second epoch, after so many of its steps; the weight of Moving grows in each step."""
    data, methods = quick_data(), lambda: [*with_memory(), Moving()]
    whole, resumed = distiller(methods), distiller(methods)
    steps = data.train.steps
    optimizer = torch.optim.SGD(whole.groups(0.05, 0.0), momentum=0.9)
    for epoch in range(3):
        whole.train().begin_epoch(epoch, steps)
        for number, batch in enumerate(data.train.epoch(epoch, "cpu"), 1):
            step(whole, optimizer, batch)
            if (epoch, number) == ((1, after) if after else (0, steps)):
                state = copy.deepcopy((whole.state_dict(), optimizer.state_dict()))
    assert all(isinstance(value, Tensor) for value in whole.state_dict().values())  # safetensors can hold it
    optimizer = torch.optim.SGD(resumed.groups(0.05, 0.0), momentum=0.9)
    resumed.load_state_dict(state[0])
    optimizer.load_state_dict(state[1])
    for epoch in (1, 2):
        resumed.train().begin_epoch(epoch, steps)
        for batch in [*data.train.epoch(epoch, "cpu")][after if epoch == 1 else 0 :]:
            step(resumed, optimizer, batch)
    assert_same(whole.state_dict(), resumed.state_dict())


IMAGES, LABELS = torch.randn(8, 3, 16, 16), torch.arange(8) % 4


def begun(*methods: Method) -> Distiller:
    one = Distiller(QuickNet(), QuickNet(width=8), methods, DATA).train()
    one.begin_epoch(0)
    return one


def test_a_memory_needs_to_know_the_images() -> None:
    one = begun(CE(), CRD(num_negatives=6, dim=8))
    with pytest.raises(ValueError, match="pass indices"):
        one(IMAGES, LABELS)
    one(IMAGES, LABELS, torch.arange(8))


@pytest.mark.parametrize("method", [CE(), CRD(num_negatives=6, dim=8)])
def test_mixed_images_have_no_label_to_read(method: Method) -> None:
    with pytest.raises(ValueError, match="mixed images have no single one"):
        begun(KD(), method)(IMAGES, torch.full((8, 4), 0.25), torch.arange(8))
    assert begun(KD(), AT())(IMAGES, torch.full((8, 4), 0.25)).loss > 0


def test_an_epoch_must_begin_and_a_warm_up_must_come_first() -> None:
    one = Distiller(QuickNet(), QuickNet(width=8), [CE()], DATA).train()
    with pytest.raises(ValueError, match="call begin_epoch"):
        one(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"FT must train before distillation begins; call warm_up\(loader\)"):
        begun(CE(), FT())(IMAGES, LABELS)


class Following(CE):
    """Follows the student."""

    def after_step(self, batch: Batch) -> None:
        pass


def test_a_method_that_follows_the_student_must_be_told_of_steps() -> None:
    one = begun(Following())
    one.begin_epoch(1)  # before any step
    one(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"call after_step\(\)"):
        one.begin_epoch(2)
    one.after_step()
    one(IMAGES, LABELS)  # its gradient is added up for a step of the next epoch
    one.begin_epoch(2)


def test_evaluation_changes_nothing() -> None:
    one = begun(CE(), CRD(num_negatives=6, dim=8))
    one.eval()
    before = copy.deepcopy(one.state_dict())
    found = one(IMAGES, LABELS, torch.arange(8))
    assert_same(before, one.state_dict())
    assert found.loss == sum(found.terms.values())
    assert torch.equal(found.logits, one.student(IMAGES))


def test_soft_labels_can_be_learned_by_the_host() -> None:
    one = begun(KD())
    found = one(IMAGES, torch.full((8, 4), 0.25))
    (found.loss + nn.functional.cross_entropy(found.logits, torch.full((8, 4), 0.25))).backward()
    assert all(parameter.grad is not None for parameter in one.parameters())


def _host(folder: Path) -> None:
    """What a rank of a host with DistributedDataParallel does: batches of its own, and DDP around the module."""
    torch.distributed.init_process_group("gloo")
    rank, data = torch.distributed.get_rank(), quick_data()
    one = Distiller(plain_net(2), plain_net(1, 8), [*with_memory(), FT(warmup_epochs=1)], data.info)
    batches = [*data.train.epoch(0, "cpu")]
    own = [(b.images[4 * rank :][:4], b.labels[4 * rank :][:4], b.indices[4 * rank :][:4]) for b in batches]
    one.warm_up(own)
    optimizer = torch.optim.SGD(one.groups(0.02, 0.0), momentum=0.9)
    host = nn.parallel.DistributedDataParallel(one)
    one.train().begin_epoch(0)
    for images, labels, indices in own:
        step(host, optimizer, replace(batches[0], images=images, labels=labels, indices=indices))
    torch.save(one.state_dict(), folder / f"rank{rank}.pt")


def test_processes_learn_what_one_learns(tmp_path: Path) -> None:
    assert together(2, _host, tmp_path) == [0, 0]
    data = quick_data()
    one = Distiller(plain_net(2), plain_net(1, 8), [*with_memory(), FT(warmup_epochs=1)], data.info)
    batches = [*data.train.epoch(0, "cpu")]
    one.warm_up([(b.images, b.labels, b.indices) for b in batches])
    optimizer = torch.optim.SGD(one.groups(0.02, 0.0), momentum=0.9)
    one.train().begin_epoch(0)
    for batch in batches:
        step(one, optimizer, batch)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2)]
    assert_same(*ranks)
    for name, value in one.state_dict().items():
        torch.testing.assert_close(ranks[0][name], value, rtol=1e-3, atol=1e-4)
