"""Several methods in one: the weighted sum of their losses."""

import torch

from stillhouse.distillation import Distillation
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
