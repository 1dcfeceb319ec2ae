from collections.abc import Callable
from dataclasses import replace
from math import log

import pytest
import timm
import torch
from timm.models.mlp_mixer import MlpMixer
from torch import nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import DataInfo
from stillhouse.distillation import Distillation
from stillhouse.methods import CE, KD, OFAKD
from stillhouse.taps import Tapped
from tests.golden.softmax import softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.contract import ZERO_LOSS
from tests.helpers.networks import tiny

NOTES = {ZERO_LOSS}

DATA = DataInfo(5, 32, TINY_DATA.labels, batch_size=6)


@pytest.mark.parametrize("enhance_all", [False, True])
@pytest.mark.parametrize(("gamma", "temperature"), [(1.0, 1.0), (1.5, 2.0)])
def test_the_label_counts_more_where_the_teacher_is_sure(gamma: float, temperature: float, enhance_all: bool) -> None:
    losses = OFAKD(gamma=gamma, temperature=temperature, enhance_all=enhance_all).loss(
        student_waves(), teacher_waves(), LABELS
    )
    for n, label in enumerate(LABELS.tolist()):
        s, t = (softmax(logits[n].tolist(), temperature) for logits in (student_waves(), teacher_waves()))
        expected = -((1 + t[label]) ** gamma - 1) * log(s[label])
        expected -= sum((t[c] ** gamma if enhance_all else t[c]) * log(s[c]) for c in range(10) if c != label)
        assert losses[n].item() == pytest.approx(expected, rel=1e-10)


def test_gamma_1_is_soft_cross_entropy() -> None:
    inputs = student_waves(), teacher_waves(), LABELS
    torch.testing.assert_close(OFAKD().loss(*inputs), KD(temperature=1, cross_entropy=True).loss(*inputs))


def _vit(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return timm.create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=5, depth=4, embed_dim=48)


def _mixer() -> nn.Module:
    return MlpMixer(num_classes=5, img_size=32, patch_size=8, num_blocks=4, embed_dim=32)


def _cnn() -> nn.Module:
    return timm.create_model("resnet10t", num_classes=5)


@pytest.mark.parametrize("student", [_cnn, _vit, _mixer])
@pytest.mark.parametrize("teacher", [_cnn, _vit])
def test_every_stage_of_any_student_learns_from_any_teacher(
    student: Callable[[], nn.Module], teacher: Callable[[], nn.Module]
) -> None:
    method, taught = OFAKD(), Tapped(teacher()).eval()
    distillation = Distillation(student(), taught, [CE(), method], DATA)
    batch = replace(tiny_batch(), images=nn.functional.interpolate(tiny_batch().images, size=32))
    with torch.no_grad():
        outputs = taught(batch.images)
    term = distillation(batch, outputs)["OFAKD"]
    torch.autograd.backward(term)
    assert len(method.spots) == len(distillation.student.anatomy.stages) + 1
    assert all(p.grad is not None and p.grad.isfinite().all() for p in method.parameters())
    student_outputs = distillation.student(batch.images)
    parts = [method.loss_at(spot, student_outputs, outputs, batch).mean() for spot in method.spots]
    assert len(parts) == len(method.exits)
    expected = KD(temperature=1, cross_entropy=True).loss(student_outputs.logits, outputs.logits, batch.labels).mean()
    torch.testing.assert_close(parts[-1], expected)


def test_exits_are_trained_along_and_thrown_away() -> None:
    student = tiny()
    distillation = Distillation(student, tiny(width=6, seed=1), [OFAKD()], TINY_DATA)
    trained = {id(p) for group in distillation.phases(1)[-1].groups for p in group.parameters}
    assert {id(p) for p in distillation.methods.parameters()} <= trained
    assert distillation.deploy() is student


def test_a_student_without_stages_is_refused() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anatomy = Anatomy(head="fc")
            self.fc = nn.Linear(3, 5)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.fc(images.mean((2, 3)))
            return logits

    with pytest.raises(ValueError, match=r"OFAKD: the student must have stages.*--student_anatomy\.stages"):
        Distillation(Plain(), tiny(), [OFAKD()], TINY_DATA)
