"""Splits that show each image twice: the laws of the first view hold for the second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch
from stillhouse.data import Folder, InMemory, LoadOptions, Split, in_memory, load
from stillhouse.data.randaugment import AugmentParams, strengthen
from stillhouse.rng import stream
from tests.helpers.pictures import picture, write_classes

MEAN, STD = (0.5, 0.25, 0.125), (0.25, 0.5, 1.0)  # powers of two: normalisation is exact, and can be undone
Make = Callable[..., Split]


def loaded(strong_view: bool = True, seed: int = 0, batch_size: int = 5, flip: bool = True) -> InMemory:
    draw = torch.Generator().manual_seed(1)
    images = torch.randint(256, (23, 16, 16, 3), generator=draw, dtype=torch.uint8)
    labels = torch.arange(23) % 3
    options = LoadOptions(batch_size=batch_size, seed=seed, flip=flip, strong_view=strong_view)
    return InMemory(images, labels, options, mean=MEAN, std=STD)


@pytest.fixture(params=["in memory", "folder"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    if request.param == "in memory":
        return loaded
    paths = []
    for number in range(23):
        paths.append(tmp_path / f"{number}.png")
        picture(number, 30 + number, 50 - 2 * number).save(paths[-1])

    def folder(
        strong_view: bool = True, seed: int = 0, batch_size: int = 5, flip: bool = True, workers: int = 0
    ) -> Folder:
        options = LoadOptions(batch_size, seed, 16, flip=flip, strong_view=strong_view, workers=workers)
        return Folder(paths, torch.arange(23) % 3, options, mean=MEAN, std=STD)

    return folder


def strong(batches: list[Batch]) -> Tensor:
    """(N, 3, S, S), in the order of the training set"""
    found = [batch.strong for batch in batches if batch.strong is not None]
    assert len(found) == len(batches)
    return torch.cat(found)[torch.cat([batch.indices for batch in batches]).argsort()]


def test_the_first_view_is_the_same_without(make: Make) -> None:
    for one, other in zip(make().epoch(1, "cpu"), make(strong_view=False).epoch(1, "cpu"), strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.indices, other.indices)
        assert (one.views is None) is (other.views is None)
        assert one.views is None or other.views is None or torch.equal(one.views, other.views)
        assert other.strong is None


def test_the_second_view_is_made_like_the_first_and_differs_from_it(make: Make) -> None:
    for batch in make().epoch(0, "cpu"):
        assert batch.strong is not None
        assert (batch.strong.shape, batch.strong.dtype) == (batch.images.shape, batch.images.dtype)
        assert batch.strong.is_contiguous(memory_format=torch.channels_last)
        assert not (batch.strong == batch.images).flatten(1).all(1).any()


def test_in_memory_it_is_a_view_of_its_own_made_stronger() -> None:
    data, generator = loaded(), stream(0, "strong view", 2)
    crops = torch.randint(162, (23,), generator=generator)
    augment_params = AugmentParams.draw(23, generator)
    plain = data.view(torch.arange(23), crops)
    pixels = ((plain * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]) * 255).round()
    expected = strengthen(pixels.to(torch.uint8), augment_params).float() / 255
    expected = (expected - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    torch.testing.assert_close(strong(list(data.epoch(2, "cpu"))), expected, rtol=0, atol=1e-5)


def test_seed_and_epoch_decide(make: Make) -> None:
    first = strong(list(make().epoch(1, "cpu")))
    assert torch.equal(first, strong(list(make().epoch(1, "cpu"))))
    for other in (make(seed=1).epoch(1, "cpu"), make().epoch(2, "cpu")):
        assert not torch.equal(first, strong(list(other)))


def test_who_else_is_in_the_batch_plays_no_part(make: Make) -> None:
    assert torch.equal(strong(list(make().epoch(1, "cpu"))), strong(list(make(batch_size=8).epoch(1, "cpu"))))


def test_how_many_are_made_at_once_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = strong(list(loaded().epoch(1, "cpu")))
    monkeypatch.setattr(in_memory, "MANY", 12)
    batches = list(loaded().epoch(1, "cpu"))
    assert [len(batch.labels) for batch in batches] == [5, 5, 5, 5, 3]
    assert torch.equal(at_once, strong(batches))


@pytest.mark.parametrize("start", [1, 4])
def test_resuming_yields_exactly_the_remaining_batches(make: Make, start: int) -> None:
    whole, rest = list(make().epoch(2, "cpu")), list(make().epoch(2, "cpu", start_step=start))
    assert len(rest) == len(whole) - start
    for one, other in zip(whole[start:], rest, strict=True):
        assert one.strong is not None
        assert other.strong is not None
        assert torch.equal(one.strong, other.strong)


def test_global_random_state_is_left_alone(make: Make) -> None:
    before = torch.random.get_rng_state()
    list(make().epoch(0, "cpu"))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("make", ["folder"], indirect=True)
def test_the_number_of_workers_changes_nothing(make: Make) -> None:
    assert torch.equal(strong(list(make().epoch(1, "cpu"))), strong(list(make(workers=2).epoch(1, "cpu"))))


def test_without_flips_it_is_not_mirrored_either(make: Make) -> None:
    plain, flipping = (strong(list(make(flip=flip).epoch(0, "cpu"))) for flip in (False, True))
    assert not torch.equal(plain, flipping)


def test_evaluation_shows_one_view(make: Make) -> None:
    assert all(batch.strong is None for batch in make().batches("cpu"))


def test_load_passes_it_on_to_training_only(tmp_path: Path) -> None:
    write_classes(tmp_path / "images", ["a", "b"], 10, width=80)
    for source in ("digits", str(tmp_path / "images")):
        data = load(source, batch_size=4, image_size=16, validation=0.2, strong_view=True)
        assert data.validation is not None
        assert data.info.strong_view
        assert data.train.strong_view
        assert not data.test.strong_view
        assert not data.validation.strong_view
        assert " and a strong one, " in data.describe()
        without = load(source, batch_size=4, image_size=16, validation=0.2)
        assert not without.info.strong_view
        assert without.fingerprint == data.fingerprint
