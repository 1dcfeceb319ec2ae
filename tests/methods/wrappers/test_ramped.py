from dataclasses import replace

import pytest
import torch

from stillhouse.distillation import Distillation
from stillhouse.methods import AT, KD
from stillhouse.methods.wrappers import Ramped
from stillhouse.taps import Tapped
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1 / 20), (0.99, 1 / 20), (1, 2 / 20), (18.5, 19 / 20), (19, 1), (20, 1), (239.9, 1)]
)
def test_the_first_epoch_has_a_twentieth_and_the_twentieth_all(epoch: float, factor: float) -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    distillation = Distillation(tiny(), teacher, [KD(), Ramped(KD()), AT(), Ramped(AT())], TINY_DATA).eval()
    batch = replace(tiny_batch(), epoch=epoch)
    terms = distillation(batch, teacher(batch.images))
    torch.testing.assert_close(terms["Ramped"], factor * terms["KD"])
    torch.testing.assert_close(terms["Ramped2"], factor * terms["AT"])


def test_a_ramp_of_one_epoch_is_none() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    distillation = Distillation(tiny(), teacher, [KD(), Ramped(KD(), epochs=1)], TINY_DATA).eval()
    terms = distillation(tiny_batch(), teacher(tiny_batch().images))
    assert terms["Ramped"].item() == terms["KD"].item()
