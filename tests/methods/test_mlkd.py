from dataclasses import replace
from typing import Literal

import pytest
import torch

from stillhouse.distillation import Distillation
from stillhouse.methods import CE, KD, MLKD
from stillhouse.methods.wrappers import StrongView
from stillhouse.taps import Outputs, Tapped
from tests.golden import waves
from tests.golden.softmax import kl, softmax
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny

Rows = list[list[float]]


def _seen() -> tuple[Outputs, Outputs]:
    net = Tapped(tiny())
    strong = [Outputs(logits, {}, net) for logits in (waves.strong_student_waves(), waves.strong_teacher_waves())]
    student, teacher = (
        Outputs(logits, {}, net, strong=second)
        for logits, second in zip((waves.student_waves(), waves.teacher_waves()), strong, strict=True)
    )
    return student, teacher


def _loss(method: MLKD) -> float:
    return float(method(*_seen(), tiny_batch()).item())


def _likeness(student: Rows, teacher: Rows) -> list[float]:
    """How much each row's products with all rows differ."""

    def products(rows: Rows, i: int) -> list[float]:
        return [sum(a * b for a, b in zip(rows[i], row, strict=True)) for row in rows]

    pairs = [(products(student, i), products(teacher, i)) for i in range(len(student))]
    return [sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) for pair in pairs]


@pytest.mark.parametrize("form", ["paper", "masks"])
def test_three_levels_of_two_views_at_all_temperatures(form: Literal["paper", "masks"]) -> None:
    student, teacher = _seen()
    rows = [softmax(row) for row in teacher.logits.tolist()]
    sure, often = [max(row) for row in rows], [sum(row[c] for row in rows) for c in range(10)]
    samples = [1] * 6 if form == "paper" else [int(value <= sum(sorted(sure)[2:4]) / 2) for value in sure]
    classes = [1] * 10 if form == "paper" else [int(value <= sum(sorted(often)[4:6]) / 2) for value in often]
    assert student.strong is not None
    assert teacher.strong is not None
    expected = 0.0
    for one, other in ((student, teacher), (student.strong, teacher.strong)):
        for temperature in (2.0, 3.0):
            s, t = ([softmax(row, temperature) for row in net.logits.tolist()] for net in (one, other))
            expected += sum(on * temperature**2 * kl(b, a) for on, a, b in zip(samples, s, t, strict=True)) / 6
            expected += sum(on * value for on, value in zip(samples, _likeness(s, t), strict=True)) / 6
            s, t = ([list(column) for column in zip(*rows, strict=True)] for rows in (s, t))
            expected += sum(on * value for on, value in zip(classes, _likeness(s, t), strict=True)) / 10
    assert _loss(MLKD(temperatures=(2.0, 3.0), form=form)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.recorded
def test_recorded_values_of_the_code() -> None:
    recorded = 29.91750448 + 0.02140683 + 0.01109116
    assert 0.9 * _loss(MLKD(form="code")) == pytest.approx(recorded, abs=2e-8)


@pytest.mark.recorded
def test_recorded_values_of_the_code_with_standardisation() -> None:
    recorded = 54.54900702 + 0.2862328 + 0.16869992
    method = MLKD(temperatures=(2.0, 3.0, 5.0, 2.0, 6.0), form="code", standardized=True)
    assert 9 * _loss(method) == pytest.approx(recorded, abs=2e-8)


@pytest.mark.recorded
def test_recorded_cross_entropy_of_both_views() -> None:
    student, teacher = _seen()
    batch = replace(tiny_batch(), labels=waves.LABELS, strong=torch.zeros(6, 3, 16, 16))
    losses = []
    for method in (CE(), StrongView(CE())):
        method.spots = method.choose_spots(student.net.anatomy, teacher.net.anatomy)
        losses.append(method(student, teacher, batch).mean())
    assert 0.1 * torch.stack(losses).sum().item() == pytest.approx(0.79217419, abs=1e-8)


def test_a_step_sees_both_views() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    data = replace(TINY_DATA, strong_view=True)
    methods = [CE(0.1), StrongView(CE(0.1)), MLKD(), StrongView(KD())]
    distillation = Distillation(tiny(), teacher, methods, data)
    batch = tiny_batch()
    batch = replace(batch, strong=batch.images.flip(2) + 0.5)
    with torch.no_grad():
        outputs = teacher.forward_batch(batch)
    assert outputs.strong is not None
    assert batch.strong is not None
    torch.testing.assert_close(outputs.strong.logits, teacher(batch.strong).logits)
    terms = distillation(batch, outputs)
    assert list(terms) == ["CE", "StrongView", "MLKD", "StrongView2"]
    assert terms["CE"].item() != terms["StrongView"].item()
    torch.autograd.backward(list(terms.values()))
    assert all(p.grad is not None for p in distillation.student.parameters())


@pytest.mark.parametrize("method", [MLKD(), StrongView(KD())])
def test_one_view_is_refused(method: MLKD | StrongView) -> None:
    with pytest.raises(ValueError, match=r"two views of each image.*strong_view=True"):
        Distillation(tiny(), tiny(seed=1), [method], TINY_DATA)


def test_a_teacher_that_was_shown_one_view_is_refused() -> None:
    teacher = Tapped(tiny(seed=1)).eval()
    distillation = Distillation(tiny(), teacher, [MLKD()], replace(TINY_DATA, strong_view=True))
    batch = replace(tiny_batch(), strong=tiny_batch(step=1).images)
    with pytest.raises(ValueError, match=r"teacher must be run on the strong view as well.*forward_batch"):
        distillation(batch, teacher(batch.images))
