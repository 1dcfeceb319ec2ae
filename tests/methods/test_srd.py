from math import log

import pytest
import timm
import torch
from torch import Tensor, nn

from stillhouse.batch import DataInfo
from stillhouse.distillation import Distillation
from stillhouse.methods import SRD
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.contract import ZERO_LOSS
from tests.helpers.networks import tiny

NOTES = {ZERO_LOSS}


def _normalised(rows: list[list[float]]) -> list[list[float]]:
    columns = []
    for column in zip(*rows, strict=True):
        mean = sum(column) / len(column)
        variance = sum((x - mean) ** 2 for x in column) / len(column)
        columns.append([(x - mean) / (variance + 1e-4) ** 0.5 for x in column])
    return [list(row) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("power", [2.0, 4.0])
def test_log_of_summed_powers_of_normalised_differences(power: float) -> None:
    student, teacher = u((5, 3), 1), u((5, 3), 2)
    s, t = (_normalised(features.tolist()) for features in (student, teacher))
    total = sum(abs(a - b) ** power for x, y in zip(s, t, strict=True) for a, b in zip(x, y, strict=True))
    assert SRD(power=power).loss(student, teacher).item() == pytest.approx(log(total), rel=1e-10)


def test_normalisation_is_batchnorms() -> None:
    features = u((5, 3), 1)
    norm = nn.BatchNorm1d(3, eps=1e-4, affine=False).double()
    torch.testing.assert_close(SRD().normalised(features, torch.ones(5).double()), norm(features))


def test_only_samples_that_are_on_are_compared() -> None:
    student, teacher = u((6, 4), 1), u((6, 4), 2)
    active = torch.tensor([1.0, 0, 1, 1, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(
        SRD().loss(student, teacher, active), SRD().loss(student[active > 0], teacher[active > 0])
    )


@pytest.mark.parametrize("how_many", [0, 1])
def test_a_sample_without_others_teaches_nothing(how_many: int) -> None:
    student = u((3, 4), 1).requires_grad_()
    loss = SRD().loss(student, u((3, 4), 2), (torch.arange(3) < how_many).double())
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss.isfinite()
    assert gradient.abs().max() == 0


@pytest.mark.parametrize(
    ("features", "expected"),
    [(u((2, 5), 1), (2, 7)), (u((2, 5, 3, 4), 1), (2, 7)), (u((2, 9, 5), 1), (2, 7))],
    ids=["vectors", "maps", "tokens"],
)
def test_the_projector_averages_first(features: Tensor, expected: tuple[int, int]) -> None:
    projector = SRD().connector(features, u((2, 7, 4, 4), 2)).double()
    assert projector(features).shape == expected
    average = features.mean((2, 3)) if features.ndim == 4 else features.mean(1) if features.ndim == 3 else features
    torch.testing.assert_close(projector(features), projector(average))


def test_a_transformer_teaches_a_cnn() -> None:
    vit = timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=5, depth=4, embed_dim=48)
    distillation = Distillation(tiny(), vit, [SRD(), SRD(at=[("stage2", "stage3")])], DataInfo(5, 32, TINY_DATA.labels))
    teacher = Tapped(vit).eval()
    teacher.tap(["embedding", "stage3"])
    batch = tiny_batch()
    images = nn.functional.interpolate(batch.images, size=32)
    student = distillation.student(images)
    with torch.no_grad():
        outputs = teacher(images)
    losses = torch.stack([method(student, outputs, batch) for _, method in distillation.named_methods()])
    torch.autograd.backward(losses.sum())
    assert all(p.grad is not None for p in distillation.methods.parameters())
