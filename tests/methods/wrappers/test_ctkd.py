from math import cos, exp, pi
from typing import Literal

import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import TemperedMethod
from stillhouse.methods import CE, DKD, KD
from stillhouse.methods.wrappers import CTKD, ScaleDecoupled, Standardized
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny

FIRST = 1 + 20 / (1 + exp(-1))  # the temperature to begin with


def _distil(method: CTKD | Standardized | ScaleDecoupled) -> tuple[Distillation, Tapped]:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    return Distillation(tiny(), teacher, [CE(0.1), method], TINY_DATA), teacher


@pytest.mark.parametrize(("base", "tempered"), [(KD(), KD(temperature=FIRST)), (DKD(), DKD(temperature=FIRST))])
def test_the_learned_temperature_takes_the_place_of_the_bases(base: TemperedMethod, tempered: TemperedMethod) -> None:
    inputs = student_waves(), teacher_waves(), LABELS
    torch.testing.assert_close(CTKD(base).loss(*inputs), tempered.loss(*inputs))


@pytest.mark.parametrize("epoch", [1, 3, 10, 200])
def test_the_student_descends_and_the_temperature_ascends(epoch: int) -> None:
    method, student, teacher = CTKD(KD()).double(), student_waves(), teacher_waves()
    method.begin_epoch(epoch - 1)
    assert method.x is not None
    loss = method.loss(student, teacher, LABELS).mean()
    for_student, for_x = torch.autograd.grad(loss, [student, method.x])

    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    temperature = 1 + 20 * x.sigmoid()
    p, q = (logits.div(temperature).log_softmax(1) for logits in (student, teacher))
    plain = temperature**2 * (q.exp() * (q - p)).sum(1).mean()
    expected_for_student, expected_for_x = torch.autograd.grad(plain, [student, x])
    reversal = (1 - cos(pi * min(epoch / 10, 1))) / 2
    torch.testing.assert_close(for_student, expected_for_student)
    torch.testing.assert_close(for_x, -reversal * expected_for_x)


def test_strength_grows_from_epoch_to_epoch() -> None:
    """The published code's values, in which -1 reverses in full."""
    method = CTKD(KD())
    assert (method.start, method.span, method.epochs, method.width) == (1, 20, 10, 128)
    assert method.strength.item() == pytest.approx(0.0245, abs=1e-4)
    method.begin_epoch(1)
    assert method.strength.item() == pytest.approx(0.0955, abs=1e-4)
    strengths = [method.strength_in(epoch) for epoch in range(1, 12)]
    assert strengths == sorted(strengths)
    assert strengths[4] == pytest.approx(0.5)
    assert strengths[9] == strengths[10] == 1


def test_instances_have_temperatures_of_their_own() -> None:
    method = CTKD(KD(), scope="instance", width=8)
    distillation, teacher = _distil(method)
    batch = tiny_batch()
    outputs = distillation.student(batch.images), teacher(batch.images)
    logits = outputs[0].logits, outputs[1].logits
    assert method.temperature(*logits).flatten().tolist() == pytest.approx([FIRST] * 6, rel=1e-6)
    torch.nn.init.normal_(method.layers[2].weight, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type] # a Linear's
    temperatures = method.temperature(*logits)
    assert temperatures.shape == (6, 1)
    assert len(set(temperatures.flatten().tolist())) == 6
    losses = method.loss(*logits, batch.labels)
    for n in range(6):
        rows = [network[n : n + 1] for network in logits]
        alone = KD(temperature=temperatures[n].item()).loss(rows[0], rows[1], batch.labels[:1])
        assert losses[n].item() == pytest.approx(alone.item(), rel=1e-4)
    torch.testing.assert_close(method.observations()["temperature"], temperatures.mean())


@pytest.mark.parametrize("scope", ["global", "instance"])
def test_the_student_learns_through_the_logits_only(scope: Literal["global", "instance"]) -> None:
    """What it says does not move its temperature, and what was observed keeps no graph."""
    method = CTKD(KD(), scope=scope, width=8)
    distillation, teacher = _distil(method)
    distillation.double()
    batch = tiny_batch()
    images = batch.images.double()
    outputs = distillation.student(images), teacher.double()(images)
    if scope == "instance":
        torch.nn.init.normal_(method.layers[2].weight, generator=torch.Generator().manual_seed(0))  # type: ignore[arg-type] # a Linear's
    student = outputs[0].logits.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(method.loss(student, outputs[1].logits, batch.labels).sum(), student)
    assert not method.latest.requires_grad
    for n, temperature in enumerate(method.temperature(student, outputs[1].logits).expand(6, 1).flatten().tolist()):
        row = student[n : n + 1].detach().requires_grad_()
        fixed = KD(temperature=temperature).loss(row, outputs[1].logits[n : n + 1], batch.labels[:1])
        torch.testing.assert_close(gradient[n : n + 1], torch.autograd.grad(fixed, row)[0])


def test_what_is_inside_is_built_and_told_of_epochs() -> None:
    class Built(KD):
        def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
            self.classes = data.num_classes

        def begin_epoch(self, epoch: int) -> None:
            self.epoch = epoch

    base = Built()
    distillation, _ = _distil(CTKD(base))
    distillation.begin_epoch(3)
    assert (base.classes, base.epoch) == (TINY_DATA.num_classes, 3)


@pytest.mark.parametrize("scope", ["global", "instance"])
def test_steps_move_the_temperature_up_the_loss(scope: Literal["global", "instance"]) -> None:
    method = CTKD(KD(weight=9.0), scope=scope)
    distillation, teacher = _distil(method)
    phase = distillation.phases(20)[-1]
    optimizer = Optimizer(phase, TrainConfig(lr=0.1, milestones=()))
    batch = tiny_batch()
    distillation.begin_epoch(15)
    seen: list[float] = []
    for _ in range(4):
        with torch.no_grad():
            outputs = teacher(batch.images)
            torch.nn.init.normal_(outputs.logits, 0, 3, generator=torch.Generator().manual_seed(0))
        optimizer.step(phase.terms(batch, outputs))
        distillation.after_step(batch)
        seen.append(method.observations()["temperature"].item())
    slope = _slope(distillation, outputs.logits, batch, seen[-1])
    assert (seen[-1] - seen[0]) * slope > 0
    assert "methods.CTKD.strength" in distillation.state_dict()


def _slope(distillation: Distillation, teacher: Tensor, batch: Batch, temperature: float) -> float:
    """Of the loss over the temperature."""
    student = distillation.student(batch.images).logits.detach()
    low, high = (KD(temperature=t).loss(student, teacher, batch.labels).mean() for t in (temperature, temperature + 1))
    return (high - low).item()


def test_standardisation_and_regions_go_around_it() -> None:
    method = CTKD(KD())
    distillation, teacher = _distil(ScaleDecoupled(Standardized(method), (1, 2)))
    batch = tiny_batch()
    torch.autograd.backward(list(distillation(batch, teacher(batch.images)).values()))
    assert method.x is not None
    assert method.x.grad is not None
    assert any(method.x is p for group in distillation.phases(1)[-1].groups for p in group.parameters)
    z = Standardized(KD(temperature=FIRST)).loss(student_waves(), teacher_waves(), LABELS)
    torch.testing.assert_close(Standardized(CTKD(KD())).loss(student_waves(), teacher_waves(), LABELS), z)


def test_standardisation_inside_is_refused() -> None:
    """It would cancel the temperature."""
    with pytest.raises(ValueError, match=r"must have a temperature, .* Standardized has none.*\(CTKD\(KD\(\)\)\)"):
        CTKD(Standardized(KD()))  # type: ignore[arg-type] # wrong on purpose
