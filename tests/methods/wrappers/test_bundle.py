"""Several methods in one: the weighted sum of their losses."""

import torch
from torch import Tensor

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import AT, CE, KD
from stillhouse.methods.wrappers import SpotAdaptive
from stillhouse.taps import Tapped
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet


def test_terms_keep_their_names_spots_and_parameters() -> None:
    data = quick_data()
    teacher = Tapped(QuickNet(width=8)).eval()
    bundle = SpotAdaptive([KD(), AT(), KD(temperature=2.0)], mode="always")
    distillation = Distillation(QuickNet(), teacher, [CE(), bundle], data.info)
    assert [name for name, _ in bundle.named_terms()] == ["KD", "AT", "KD2"]
    assert {spot.student for spot in bundle.spots} >= {"logits", "stage1", "stage2"}
    batch = next(data.train.epoch(0, "cpu"))
    with torch.no_grad():
        outputs = teacher(batch.images)
        student = distillation.student(batch.images)
        expected = sum(term.weight * term(student, outputs, batch).mean() for _, term in bundle.named_terms())
        torch.testing.assert_close(bundle(student, outputs, batch), expected)


def test_masks_say_which_samples_count_at_each_spot() -> None:
    data = quick_data()
    teacher = Tapped(QuickNet(width=8)).eval()
    bundle = SpotAdaptive([KD(2.0), AT(3.0)], mode="always")
    distillation = Distillation(QuickNet(), teacher, [CE(), bundle], data.info)
    batch = next(data.train.epoch(0, "cpu"))
    mask = (torch.arange(len(batch.labels)) % 3 == 0).float()
    with torch.no_grad():
        student, outputs = distillation.student(batch.images), teacher(batch.images)
        kd, at = (term for _, term in bundle.named_terms())
        active: dict[Spot, Tensor | bool] = {kd.spots[0]: mask, at.spots[0]: True, at.spots[1]: False}
        losses = bundle.distil(student, outputs, active, batch)
        expected = 2 * (mask * kd.loss_at(kd.spots[0], student, outputs, batch)).mean()
        torch.testing.assert_close(losses["KD"], expected)
        torch.testing.assert_close(losses["AT"], 3 * at.loss_at(at.spots[0], student, outputs, batch).mean())
