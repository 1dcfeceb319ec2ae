from dataclasses import replace

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.taps import Outputs, Tapped
from tests.helpers.batches import tiny_batch
from tests.helpers.networks import tiny

MASK = torch.tensor([True, False, False, True, True, False])
INDICES = torch.tensor([4, 0, 3])


def _said(places: list[str]) -> Outputs:
    net = Tapped(tiny())
    net.tap(places)
    outputs: Outputs = net(tiny_batch().images)
    return outputs


@pytest.mark.parametrize("keep", [MASK, INDICES], ids=["mask", "indices"])
def test_rows_of_a_batch(keep: torch.Tensor) -> None:
    batch = replace(tiny_batch(), views=torch.arange(10, 16), epoch=2.5, step=7, seed=3)
    batch = replace(batch, strong=-batch.images, active=torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0, 0.0]))
    kept = batch.rows(keep)
    for name in ("images", "labels", "indices", "views", "strong", "active"):
        assert torch.equal(getattr(kept, name), getattr(batch, name)[keep])
    assert (kept.epoch, kept.step, kept.seed) == (2.5, 7, 3)


def test_rows_leave_out_what_the_batch_does_not_have() -> None:
    kept = tiny_batch().rows(MASK)
    assert kept.views is kept.strong is kept.active is None


@pytest.mark.parametrize("keep", [MASK, INDICES], ids=["mask", "indices"])
def test_rows_of_outputs(keep: torch.Tensor) -> None:
    outputs = _said(["stage2", "embedding"])
    kept = outputs.rows(keep)
    for place in ("logits", "stage2", "embedding"):
        assert torch.equal(kept[place], outputs[place][keep])
    assert kept.net is outputs.net


def test_rows_of_outputs_include_the_strong_view() -> None:
    outputs = _said(["stage2"])
    kept = replace(outputs, strong=_said(["stage2"])).rows(INDICES)
    assert kept.strong is not None
    assert torch.equal(kept.strong["stage2"], outputs["stage2"][INDICES])


def test_logits_are_a_place() -> None:
    outputs = _said([])
    assert outputs["logits"] is outputs.logits


def test_random_numbers_depend_on_seed_step_and_purpose_only() -> None:
    batch = replace(tiny_batch(), seed=1, step=5)

    def draws(batch: Batch, purpose: str = "negatives") -> list[float]:
        numbers: list[float] = torch.rand(3, generator=batch.generator(purpose)).tolist()
        return numbers

    assert draws(batch) == draws(batch) == draws(batch.rows(MASK))
    assert draws(batch) != draws(batch, "noise")
    assert draws(batch) != draws(replace(batch, step=6))
    assert draws(batch) != draws(replace(batch, seed=2))
