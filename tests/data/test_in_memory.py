from __future__ import annotations

import pytest
import torch
import torchvision.transforms.v2 as v2
from PIL import Image

from stillhouse.batch import Batch
from stillhouse.data import InMemory, LoadOptions
from stillhouse.rng import stream
from tests.helpers.data import MEAN, STD, split


def same(one: Batch, other: Batch) -> bool:
    assert one.views is not None
    assert other.views is not None
    pairs = ((one.images, other.images), (one.labels, other.labels), (one.indices, other.indices))
    equal = all(torch.equal(a, b) for a, b in (*pairs, (one.views, other.views)))
    return equal and (one.epoch, one.step, one.seed) == (other.epoch, other.step, other.seed)


@pytest.mark.parametrize("size", [28, 32])
def test_every_view_is_torchvisions(size: int) -> None:
    data = split(count=2, size=size)
    assert data.num_views == 162
    finish = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(MEAN), list(STD))])
    for index in range(2):
        ours = data.view(torch.full((162,), index), torch.arange(162))
        padded = v2.Pad(4)(Image.fromarray(data.images[index].numpy()))
        for view in range(162):
            flipped, offset = divmod(view, 81)
            top, left = divmod(offset, 9)
            crop = v2.functional.crop(padded, top, left, size, size)
            theirs = finish(v2.functional.horizontal_flip(crop) if flipped else crop)
            torch.testing.assert_close(ours[view], theirs, rtol=0, atol=1e-6)


def test_padding_grows_with_the_image() -> None:
    assert split(size=64).padding == 8
    assert split(size=64).num_views == 17 * 17 * 2


def test_batches_are_channels_last_float() -> None:
    data = split(size=32)
    for batch in (next(data.epoch(0, "cpu")), next(data.batches("cpu"))):
        assert batch.images.dtype == torch.float32
        assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_is_every_image_in_order_unaugmented() -> None:
    data = split()
    batches = list(data.batches("cpu", batch_size=10))
    assert [len(b.images) for b in batches] == [10, 10, 3]
    assert torch.equal(torch.cat([b.indices for b in batches]), torch.arange(23))
    assert torch.equal(torch.cat([b.labels for b in batches]), data.labels)
    centre = torch.full((23,), 4 * 9 + 4)  # not shifted, not flipped
    assert torch.equal(torch.cat([b.images for b in batches]), data.view(torch.arange(23), centre))


def test_an_epoch_is_every_image_once_with_its_label_and_its_view() -> None:
    data = split()
    batches = list(data.epoch(4, "cpu"))
    assert [len(b.images) for b in batches] == [5, 5, 5, 5, 3]
    assert torch.equal(torch.cat([b.indices for b in batches]).sort().values, torch.arange(23))
    for batch in batches:
        assert batch.views is not None
        assert torch.equal(batch.labels, data.labels[batch.indices])
        assert torch.equal(batch.images, data.view(batch.indices, batch.views))


def test_same_seed_same_batches_other_seed_or_epoch_others() -> None:
    first = list(split().epoch(1, "cpu"))
    assert all(same(a, b) for a, b in zip(first, split().epoch(1, "cpu"), strict=True))
    for other in (split(seed=1).epoch(1, "cpu"), split().epoch(2, "cpu")):
        others = list(other)
        assert not torch.equal(torch.cat([b.indices for b in first]), torch.cat([b.indices for b in others]))
        views = [torch.cat([b.views for b in run if b.views is not None]) for run in (first, others)]
        assert not torch.equal(views[0], views[1])


@pytest.mark.parametrize("start", [0, 1, 3, 5])
def test_resuming_yields_exactly_the_remaining_batches(start: int) -> None:
    whole = list(split().epoch(2, "cpu", phase_start=1))
    torch.rand(7)  # the global state plays no part
    rest = list(split().epoch(2, "cpu", start_step=start, phase_start=1))
    assert len(rest) == 5 - start
    assert all(same(a, b) for a, b in zip(whole[start:], rest, strict=True))


def test_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    list(split().epoch(0, "cpu"))
    assert torch.equal(before, torch.random.get_rng_state())


def test_without_flips_no_view_is_mirrored() -> None:
    data = split(count=200, flip=False, batch_size=200)
    assert data.num_views == 81
    batch = next(data.epoch(0, "cpu"))
    assert batch.views is not None
    assert int(batch.views.max()) < 81
    flipping = split(count=200, batch_size=200)
    assert torch.equal(batch.images, flipping.view(batch.indices, batch.views))


def test_views_are_uniform() -> None:
    data = split(count=162 * 50, size=8, batch_size=162 * 50)
    batch = next(data.epoch(0, "cpu"))
    assert batch.views is not None
    counts = batch.views.bincount(minlength=162).double()
    chi2 = float(((counts - 50).square() / 50).sum())
    assert 161 - 4 * 18 < chi2 < 161 + 4 * 18  # 4 standard deviations of chi-squared with 161 degrees of freedom


def test_the_images_are_stored_once_and_unpadded() -> None:
    images = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    data = InMemory(images, torch.zeros(4, dtype=torch.int64), mean=MEAN, std=STD)
    list(data.epoch(0, "cpu"))
    assert data.to("cpu").images.data_ptr() == images.data_ptr()


def test_wrong_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(N, S, S, 3\) uint8, not \(4, 3, 8, 8\) torch.float32"):
        InMemory(torch.zeros(4, 3, 8, 8), torch.zeros(4), mean=MEAN, std=STD)
    with pytest.raises(ValueError, match="there are 4 images and 3 labels"):
        InMemory(torch.zeros(4, 8, 8, 3, dtype=torch.uint8), torch.zeros(3), mean=MEAN, std=STD)


def views_of(**changes: object) -> InMemory:
    images = torch.randint(256, (12, 32, 32, 3), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    options = LoadOptions(batch_size=5).but(**changes)
    return InMemory(images, torch.arange(12) % 3, options, mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3)


def shown(data: InMemory, epoch: int = 0) -> torch.Tensor:
    """The views of an epoch in the order of the images, (N, 3, S, S) uint8."""
    batches = list(data.epoch(epoch, "cpu"))
    order = torch.cat([batch.indices for batch in batches]).argsort()
    return torch.cat([batch.images for batch in batches])[order].round().to(torch.uint8)


def test_reflected_borders_are_torchvisions() -> None:
    data = views_of(crop="reflected")
    ours = data.view(torch.zeros(162, dtype=torch.int64), torch.arange(162)).round().to(torch.uint8)
    padded = v2.functional.pad(data.images[0].permute(2, 0, 1), [4, 4, 4, 4], padding_mode="reflect")
    for view in range(162):
        flipped, offset = divmod(view, 81)
        crop = v2.functional.crop(padded, offset // 9, offset % 9, 32, 32)
        assert torch.equal(ours[view], crop.flip(2) if flipped else crop)
    assert data.describe() == "162 views an image, mirrored at random, shifted crops with reflected borders"


def test_without_crops_images_are_mirrored_only() -> None:
    data = views_of(crop="none")
    assert data.num_views == 2
    plain = data.images.permute(0, 3, 1, 2)
    mirrored = [torch.equal(view, image.flip(2)) for view, image in zip(shown(data), plain, strict=True)]
    assert 0 < sum(mirrored) < 12
    assert all(
        torch.equal(view, image.flip(2) if flip else image)
        for view, image, flip in zip(shown(data), plain, mirrored, strict=True)
    )


def test_a_rotation_is_torchvisions_of_a_pillow_image() -> None:
    data = views_of(crop="none", flip=False, rotation=20)
    angles = data._draw(stream(0, "views", 3)).angles
    assert angles is not None
    assert float(angles.abs().max()) <= 20
    for view, image, angle in zip(shown(data, epoch=3), data.images, angles.tolist(), strict=True):
        theirs = v2.functional.rotate(Image.fromarray(image.numpy()), angle)
        assert torch.equal(view, v2.functional.pil_to_tensor(theirs))
    assert data.describe() == (
        "new views in each epoch, never mirrored, not cropped at random, turned by up to 20 degrees"
    )


@pytest.mark.parametrize("changes", [{"crop": "resized"}, {"rotation": 20.0}, {"crop": "resized", "strong_view": True}])
def test_unbounded_views_depend_on_seed_and_epoch_alone(changes: dict[str, object]) -> None:
    whole = list(views_of(**changes).epoch(1, "cpu"))
    rest = list(views_of(**changes).epoch(1, "cpu", start_step=1))
    assert all(batch.views is None for batch in whole)
    for one, other in zip(whole[1:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert one.strong is None or (other.strong is not None and torch.equal(one.strong, other.strong))
    others = list(views_of(**changes, seed=1).epoch(1, "cpu"))
    assert not torch.equal(shown(views_of(**changes), 1), shown(views_of(**changes), 2))
    assert not torch.equal(whole[0].images, others[0].images)


def test_small_images_have_random_parts_of_their_own() -> None:
    data = views_of(crop="resized", flip=False)
    parts = data._draw(stream(0, "views", 0)).parts
    assert parts is not None
    for row, (view, image) in enumerate(zip(shown(data), data.images.permute(0, 3, 1, 2), strict=True)):
        box = [int(side[row]) for side in (parts.top, parts.left, parts.height, parts.width)]
        theirs = v2.functional.resized_crop(image.float(), *box, [32, 32], antialias=True)
        assert float((view.float() - theirs).abs().max()) <= 0.5 + 1e-3


def test_the_views_that_there_always_were_are_the_same_beside_a_strong_one() -> None:
    assert torch.equal(shown(views_of()), shown(views_of(strong_view=True)))
    assert torch.equal(shown(views_of(crop="shifted")), shown(views_of()))
