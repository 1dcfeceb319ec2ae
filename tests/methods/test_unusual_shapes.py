"""Every method between networks of unusual shapes: its losses and gradients are finite, or a sentence says why not."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.methods.parse import catalogue, parse
from stillhouse.rng import seeded
from stillhouse.taps import Tapped

Stages = Sequence[tuple[int, int, int]]  # channels, height, width
MORE = ["KDSVD(rows='lines')", "CC(correlation='consecutive')", "DSPP(pooling='adaptive')", "MLKD(form='masks')"]


class _Stage(nn.Module):
    def __init__(self, inputs: int, channels: int, height: int, width: int):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(inputs, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()
        self.size = height, width

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.bn(self.conv(F.adaptive_avg_pool2d(x, self.size))))
        return out


class _Net(nn.Module):
    """A classifier whose stages are maps of any channels and sizes."""

    def __init__(self, stages: Stages, classes: int):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        inputs = [4, *(channels for channels, _, _ in stages)]
        self.stages = nn.Sequential(*(_Stage(before, *stage) for before, stage in zip(inputs, stages, strict=False)))
        self.head = nn.Linear(inputs[-1], classes)
        names = [f"stages.{i}" for i in range(len(stages))]
        self.anatomy = Anatomy(
            stem="stem",
            stages=tuple(names),
            preacts=tuple(f"{name}.relu:in" for name in names),
            norms=tuple(f"{name}.bn" for name in names),
            map=names[-1],
            head="head",
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.stages(self.stem(images)).mean((2, 3)))
        return logits


@dataclass(frozen=True)
class Case:
    """Two networks and a batch; `refusals` are parts of the sentences that are expected, none for all that train."""

    student: Stages
    teacher: Stages
    classes: int = 5
    images: int = 6
    teacher_dtype: torch.dtype = torch.float32
    refusals: tuple[str, ...] = ()


USUAL: Stages = [(4, 8, 8), (6, 4, 4), (8, 2, 2)]
CHANNELS, WIDTH = "must read maps of equal channels", "must read maps of equal width"
CASES = {
    "not square, twice as large": Case(
        [(4, 12, 8), (6, 6, 4), (8, 3, 2)], [(4, 24, 16), (6, 12, 8), (8, 6, 4)], refusals=(WIDTH,)
    ),
    "not square, in no proportion": Case(
        [(4, 7, 5), (6, 3, 7), (8, 1, 4)], [(5, 9, 4), (7, 7, 3), (10, 4, 1)], refusals=(CHANNELS, WIDTH)
    ),
    "thin, of equal shapes": Case([(4, 7, 1), (6, 1, 7), (8, 1, 4)], [(4, 7, 1), (6, 1, 7), (8, 1, 4)]),
    "one pixel beside many": Case([(4, 1, 1)] * 3, [(4, 4, 4)] * 3, refusals=(WIDTH,)),
    "two images of fifty classes": Case(USUAL, USUAL, classes=50, images=2),
    "two images of one pixel": Case([(4, 1, 1)] * 3, [(4, 1, 1)] * 3, classes=2, images=2),
    "more stages than the teacher": Case(
        [(4, 8, 8), (6, 4, 4), (6, 4, 4), (8, 2, 2), (8, 1, 1)],
        [(4, 8, 8), (8, 2, 2)],
        refusals=(CHANNELS, WIDTH, "has no 'stage3'"),
    ),
    "a teacher in half precision": Case(
        USUAL, USUAL, teacher_dtype=torch.bfloat16, refusals=("must run through networks with float32 weights",)
    ),
}


def expressions() -> list[str]:
    takes = {name: inspect.signature(cls).parameters for name, cls in catalogue().items()}
    inside = {name: "(KD)" if "base" in of else "([KD, AT])" if "terms" in of else "" for name, of in takes.items()}
    return [*(name + inside[name] for name in takes), *MORE]


def losses(expression: str, case: Case) -> None:
    """Assert that the losses of all phases and their gradients are finite."""
    with seeded(0, "networks"):
        student, teacher = _Net(case.student, case.classes), _Net(case.teacher, case.classes).to(case.teacher_dtype)
        images, strong = torch.randn(2, case.images, 3, 32, 32)
    (method,) = (item.build() for item in parse(expression))
    data = DataInfo(
        case.classes, 32, torch.arange(60) % case.classes, max(case.images, 6), strong_view=method.needs_strong_view
    )
    tapped = Tapped(teacher).eval().requires_grad_(False)
    distillation = Distillation(student, tapped, [method], data)
    labels = torch.arange(case.images) % case.classes
    batch = Batch(images, labels, torch.arange(case.images), strong=strong if method.needs_strong_view else None)
    half = Batch(
        images.to(case.teacher_dtype),
        labels,
        batch.indices,
        strong=None if batch.strong is None else strong.to(case.teacher_dtype),
    )
    with torch.no_grad():
        outputs = tapped.forward_batch(half)
    for phase in distillation.phases(1):
        distillation.eval()
        for module in phase.trains:
            module.train()
        (loss,) = phase.terms(batch, outputs).values()
        assert loss.isfinite(), phase.name
        if loss.requires_grad:
            torch.autograd.backward(loss)
    gradients = {
        name: parameter.grad for name, parameter in distillation.named_parameters() if parameter.grad is not None
    }
    assert [name for name, gradient in gradients.items() if not gradient.isfinite().all()] == []


@pytest.mark.parametrize("name", CASES)
def test_every_method_trains_or_says_why_not(name: str) -> None:
    case, sentences = CASES[name], dict[str, str]()
    for expression in expressions():
        try:
            losses(expression, case)
        except ValueError as error:
            sentences[expression] = str(error)
    expected = {one: [part for part in case.refusals if part in sentence] for one, sentence in sentences.items()}
    assert {one: sentences[one] for one, parts in expected.items() if not parts} == {}
    assert {part for parts in expected.values() for part in parts} == set(case.refusals)
