from __future__ import annotations

import pytest
import torch

from stillhouse.data.dataset import check_labels, stratified
from tests.helpers.data import split


@pytest.mark.parametrize(
    ("count", "batch_size", "drop_last", "steps"),
    [
        (20, 5, False, 4),
        (23, 5, False, 5),
        (23, 5, True, 4),
        (21, 5, False, 4),  # one image is left over: BatchNorm cannot normalise it
        (3, 1, False, 3),
        (3, 64, False, 1),
    ],
)
def test_steps_are_the_batches_of_an_epoch(count: int, batch_size: int, drop_last: bool, steps: int) -> None:
    data = split(count, batch_size=batch_size, drop_last=drop_last)
    batches = list(data.epoch(0, "cpu"))
    assert data.steps == len(batches) == steps
    assert all(len(b.images) > 1 or batch_size == 1 for b in batches)


def test_position_counts_steps_of_the_run_and_epochs_of_the_phase() -> None:
    batches = list(split().epoch(3, "cpu", phase_start=2))
    assert [b.step for b in batches] == [15, 16, 17, 18, 19]
    assert [b.epoch for b in batches] == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.8])
    assert {b.seed for b in batches} == {0}


def test_an_epoch_without_batches_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="split of 3 images is too small for a batch of 5: use a smaller batch size"):
        split(3, batch_size=5, drop_last=True).epoch(0, "cpu")
    with pytest.raises(ValueError, match="split of 1 images is too small for a batch of 5"):
        split(1, batch_size=5).epoch(0, "cpu")


def test_a_start_beyond_the_epoch_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="an epoch has 5 steps here; it cannot start at step 6"):
        split().epoch(0, "cpu", start_step=6)


def test_stratified_is_a_seeded_partition_with_the_share_of_each_class() -> None:
    labels = torch.tensor([0] * 40 + [1] * 10 + [2] * 3 + [3])[torch.randperm(54)]
    kept, held_out = stratified(labels, 0.2, seed=7)
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(54))
    assert labels[held_out].bincount(minlength=4).tolist() == [8, 2, 1, 0]
    again, other = stratified(labels, 0.2, seed=7), stratified(labels, 0.2, seed=8)
    assert torch.equal(again[1], held_out)
    assert not torch.equal(other[1], held_out)


def test_stratified_keeps_one_of_every_class() -> None:
    kept, _ = stratified(torch.tensor([0, 0, 1, 1]), 0.99, seed=0)
    assert len(kept) == 2


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_stratified_refuses_a_fraction_that_is_none(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"must lie between 0 and 1, for example 0.1, not {fraction}"):
        stratified(torch.tensor([0, 1]), fraction, seed=0)


def test_labels_out_of_range_name_the_split_and_the_value() -> None:
    check_labels(torch.tensor([0, 2]), 3, "The test split")
    with pytest.raises(ValueError, match="The test split holds the label -1, but the 3 classes are numbered 0 to 2"):
        check_labels(torch.tensor([0, -1]), 3, "The test split")
    with pytest.raises(ValueError, match="The training split holds the label 3"):
        check_labels(torch.tensor([0, 3]), 3, "The training split")
    with pytest.raises(ValueError, match="holds no images"):
        check_labels(torch.tensor([], dtype=torch.int64), 3, "The training split")
