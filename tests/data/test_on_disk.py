from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
import torchvision.transforms.v2 as v2
from PIL import Image

from stillhouse.batch import Batch
from stillhouse.data import Folder, LoadOptions, Resize, reader
from stillhouse.data.on_disk import worker_died
from tests.helpers.pictures import picture, png

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Eleven images of different sizes and shapes"""
    found = []
    for number in range(11):
        found.append(tmp_path / f"{number}.png")
        picture(number, 30 + number, 50 - 2 * number).save(found[-1])
    return found


def split(paths: list[Path], *, workers: int = 0, seed: int = 0, flip: bool = True) -> Folder:
    labels = torch.arange(len(paths)) % 2
    return Folder(paths, labels, LoadOptions(3, seed, 16, flip=flip, workers=workers), mean=MEAN, std=STD)


def same(one: Batch, other: Batch) -> bool:
    pairs = ((one.images, other.images), (one.labels, other.labels), (one.indices, other.indices))
    return all(torch.equal(a, b) for a, b in pairs) and (one.epoch, one.step) == (other.epoch, other.step)


def test_evaluation_is_torchvisions_resize_and_centre_crop(paths: list[Path]) -> None:
    batches = list(split(paths).batches("cpu", batch_size=4))
    assert [len(b.images) for b in batches] == [4, 4, 3]
    assert torch.equal(torch.cat([b.indices for b in batches]), torch.arange(11))
    images = torch.cat([b.images for b in batches])
    prepare = v2.Compose(
        [
            *(v2.ToImage(), v2.Resize(18), v2.CenterCrop(16)),  # 16 / 0.875 = 18.3
            *(v2.ToDtype(torch.float32, scale=True), v2.Normalize(list(MEAN), list(STD))),
        ]
    )
    for path, image in zip(paths, images, strict=True):
        torch.testing.assert_close(image, torch.as_tensor(prepare(Image.open(path))), rtol=0, atol=1e-6)
    assert batches[0].images.is_contiguous(memory_format=torch.channels_last)


def test_an_epoch_is_every_image_once(paths: list[Path]) -> None:
    data = split(paths)
    batches = list(data.epoch(0, "cpu"))
    assert [len(b.images) for b in batches] == [3, 3, 3, 2]
    assert torch.cat([b.indices for b in batches]).sort().values.tolist() == list(range(11))
    assert all(torch.equal(b.labels, data.labels[b.indices]) for b in batches)
    assert data.num_views is None
    assert batches[0].views is None


def test_training_images_are_torchvisions_random_crops(tmp_path: Path) -> None:
    """Of an image whose red and green rise with column and row, the crop's corners tell where it was cut."""
    ramp = torch.arange(200, dtype=torch.uint8)
    pixels = torch.stack([ramp.expand(200, 200), ramp[:, None].expand(200, 200), torch.zeros(200, 200).byte()])
    v2.functional.to_pil_image(pixels).save(tmp_path / "ramp.png")
    data = Folder(
        [tmp_path / "ramp.png"] * 300,
        torch.zeros(300, dtype=torch.int64),
        LoadOptions(batch_size=300, image_size=16),
        mean=(0, 0, 0),
        std=(1 / 255, 1 / 255, 1 / 255),
    )
    images = next(data.epoch(0, "cpu")).images
    width = (images[:, 0, :, -1] - images[:, 0, :, 0]).mean(1) * 16 / 15
    height = (images[:, 1, -1] - images[:, 1, 0]).mean(1) * 16 / 15
    share = (width * height).abs() / 200**2
    assert float(share.min()) > 0.06  # scale=(0.08, 1), with the tolerance of measuring
    assert float(share.max()) < 1.02
    assert float(share.mean()) == pytest.approx(0.5, abs=0.06)
    assert 0.4 < float((width < 0).float().mean()) < 0.6  # mirrored
    ratio = (width.abs() / height).log()
    assert float(ratio.abs().max()) < 0.4  # ratio=(3/4, 4/3)


def test_flips_can_be_switched_off(paths: list[Path]) -> None:
    plain = torch.cat([b.images for b in split(paths, flip=False).epoch(0, "cpu")])
    flipping = torch.cat([b.images for b in split(paths).epoch(0, "cpu")])
    changed = (plain != flipping).flatten(1).any(1)
    assert 0 < int(changed.sum()) < 11
    assert torch.equal(flipping[changed], plain[changed].flip(3))


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(paths: list[Path], workers: int) -> None:
    alone, helped = split(paths), split(paths, workers=workers)
    assert all(same(a, b) for a, b in zip(alone.epoch(1, "cpu"), helped.epoch(1, "cpu"), strict=True))
    assert all(same(a, b) for a, b in zip(alone.batches("cpu"), helped.batches("cpu"), strict=True))


def test_seed_and_epoch_decide(paths: list[Path]) -> None:
    first = list(split(paths).epoch(1, "cpu"))
    assert all(same(a, b) for a, b in zip(first, split(paths).epoch(1, "cpu"), strict=True))
    for other in (split(paths, seed=1).epoch(1, "cpu"), split(paths).epoch(2, "cpu")):
        assert not torch.equal(torch.cat([b.images for b in first]), torch.cat([b.images for b in other]))


@pytest.mark.parametrize("start", [1, 3, 4])
def test_resuming_yields_exactly_the_remaining_batches(paths: list[Path], start: int) -> None:
    whole = list(split(paths).epoch(2, "cpu"))
    rest = list(split(paths).epoch(2, "cpu", start_step=start))
    assert len(rest) == 4 - start
    assert all(same(a, b) for a, b in zip(whole[start:], rest, strict=True))


def test_global_random_state_is_left_alone(paths: list[Path]) -> None:
    before = torch.random.get_rng_state()
    list(split(paths).epoch(0, "cpu"))
    list(split(paths).batches("cpu"))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_named(paths: list[Path], workers: int) -> None:
    paths[4].write_bytes(png(picture(0, 32))[:200])
    with pytest.raises(
        ValueError, match=r"^\S*/4.png cannot be read as an image .* was whole when this command began: restore it"
    ):
        list(split(paths, workers=workers).epoch(0, "cpu"))
    with pytest.raises(ValueError, match=r"^\S*/4.png cannot be read"):
        list(split(paths, workers=workers).batches("cpu"))


def test_a_dead_worker_is_explained(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "rgb", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(ValueError, match=r"a worker process that reads images died .* use fewer --workers"):
        list(split(paths, workers=1).epoch(0, "cpu"))


def test_small_sets_are_read_without_workers(paths: list[Path]) -> None:
    def workers(count: int) -> int:
        many = (paths * 100)[:count]
        labels = torch.zeros(count)
        return Folder(many, labels, mean=MEAN, std=STD).workers

    assert workers(999) == 0
    assert 1 <= workers(1000) <= 8


def test_wrong_arguments_are_refused(paths: list[Path]) -> None:
    with pytest.raises(ValueError, match="there are 11 images and 2 labels"):
        Folder(paths, torch.zeros(2), mean=MEAN, std=STD)


@pytest.mark.parametrize("resize", ["squash", "pad"])
def test_whole_images_may_be_shown_in_training_and_evaluation(tmp_path: Path, resize: Resize) -> None:
    """Of an image that is red at both ends the middle square shows nothing of them."""
    wide = Image.new("RGB", (180, 60), "blue")
    for left in (0, 130):
        wide.paste("red", (left, 0, left + 50, 60))
    wide.save(tmp_path / "wide.png")
    red = {}
    for way in ("crop", resize):
        options = LoadOptions(batch_size=1, image_size=32, resize=way)
        data = Folder(
            [tmp_path / "wide.png"], torch.zeros(1, dtype=torch.int64), options, mean=(0, 0, 0), std=(1, 1, 1)
        )
        (evaluated,) = data.batches("cpu")
        shown = torch.cat([batch.images for epoch in range(20) for batch in data.epoch(epoch, "cpu")])
        assert evaluated.images.shape == (1, 3, 32, 32)
        red[way] = [float((images[:, 0] - images[:, 2] > 0.5).float().mean()) for images in (evaluated.images, shown)]
    share = 100 / 180 * (1 / 3 if resize == "pad" else 1)
    assert red["crop"][0] == 0
    assert red[resize][0] == pytest.approx(share, abs=0.02)
    assert red[resize][1] > share / 2


def test_the_data_line_says_what_is_done_to_images(paths: list[Path]) -> None:
    def line(**options: object) -> str:
        labels = torch.zeros(len(paths), dtype=torch.int64)
        return Folder(paths, labels, LoadOptions().but(**options), mean=MEAN, std=STD).describe()

    assert line() == "new views in each epoch, mirrored at random, random parts resized"
    assert line(flip=False, resize="pad") == "new views in each epoch, never mirrored, random parts resized"
    assert line(crop="none") == "2 views an image, mirrored at random, not cropped at random"
    assert line(crop="none", flip=False) == "1 view an image, never mirrored, not cropped at random"


def test_the_data_line_says_how_evaluated_images_are_made_square(paths: list[Path]) -> None:
    def line(resize: Resize) -> str:
        labels = torch.zeros(len(paths), dtype=torch.int64)
        return Folder(paths, labels, LoadOptions(resize=resize), mean=MEAN, std=STD).reading()

    assert line("crop") == "cropped to the middle square of 87.5 % of the shorter side"
    assert line("pad") == "padded to a square"
    assert line("squash") == "squashed to a square"
    assert line("squash_crop") == "squashed to a square of which the middle 87.5 % are kept"


def test_transparent_pixels_have_the_background_that_was_asked_for(tmp_path: Path) -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    image.putpixel((3, 3), (9, 9, 9, 255))
    image.save(tmp_path / "a.png")
    means = []
    for background in ("white", "black"):
        options = LoadOptions(image_size=16, background=background)
        data = Folder([tmp_path / "a.png"], torch.zeros(1, dtype=torch.int64), options, mean=(0, 0, 0), std=(1, 1, 1))
        means += [float(batch.images.mean()) for batch in data.batches("cpu")]
    assert means == pytest.approx([1, 0], abs=0.05)


def shown(paths: list[Path], **changes: object) -> torch.Tensor:
    """The views of an epoch in the order of the images, (N, 3, 16, 16) uint8."""
    options = LoadOptions(3, 0, 16, workers=0).but(**changes)
    data = Folder(paths, torch.arange(len(paths)) % 2, options, mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3)
    batches = list(data.epoch(0, "cpu"))
    order = torch.cat([batch.indices for batch in batches]).argsort()
    return torch.cat([batch.images for batch in batches])[order].round().to(torch.uint8)


def places(view: torch.Tensor, larger: torch.Tensor) -> list[tuple[int, int]]:
    """Where in a larger image a view was cut out, top and left."""
    (height, width), size = larger.shape[1:], view.shape[1]
    return [
        (top, left)
        for top in range(height - size + 1)
        for left in range(width - size + 1)
        if torch.equal(view, larger[:, top : top + size, left : left + size])
    ]


def test_cubs_views_are_crops_of_squashed_images_and_their_middle_is_evaluated(paths: list[Path]) -> None:
    """Resize to 256 x 256 and RandomCrop(224) in the proportions of 18 and 16 px; evaluated by CenterCrop(224)."""
    changes: dict[str, object] = {"resize": "squash_crop", "crop": "shifted", "flip": False}
    squashed = [v2.functional.resize(v2.functional.pil_to_tensor(Image.open(path)), [18, 18]) for path in paths]
    found = [places(view, larger) for view, larger in zip(shown(paths, **changes), squashed, strict=True)]
    assert all(found)
    assert len({place[0] for place in found}) > 3
    data = Folder(
        paths,
        torch.zeros(11, dtype=torch.int64),
        LoadOptions(11, 0, 16, workers=0).but(**changes),
        mean=(0, 0, 0),
        std=(1 / 255,) * 3,
    )
    for view, larger in zip(next(data.batches("cpu")).images, squashed, strict=True):
        assert torch.equal(view.round().to(torch.uint8), larger[:, 1:17, 1:17])
    assert data.describe() == ("new views in each epoch, never mirrored, shifted crops")


def test_shifted_crops_keep_the_shape_of_the_image(paths: list[Path]) -> None:
    views = shown(paths, crop="shifted", flip=False)
    for path, view in zip(paths, views, strict=True):
        assert places(view, v2.functional.resize(v2.functional.pil_to_tensor(Image.open(path)), [18]))


def test_without_crops_training_shows_what_evaluation_shows(paths: list[Path]) -> None:
    plain = torch.cat([batch.images for batch in split(paths).batches("cpu")])
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    assert torch.equal(shown(paths, crop="none", flip=False), (255 * (plain * std + mean)).round().to(torch.uint8))


def test_crops_are_turned_as_pillow_turns_them(paths: list[Path]) -> None:
    """By no more than the angle asked for, each by one of its own."""
    still = shown(paths, crop="none", flip=False)
    turned = shown(paths, crop="none", flip=False, rotation=30)
    angles = [angle / 100 for angle in range(-3000, 3001, 50)]
    for view, image in zip(turned[:3], still[:3], strict=True):
        pillow = v2.functional.to_pil_image(image)
        far = min(
            int((v2.functional.pil_to_tensor(v2.functional.rotate(pillow, angle)) != view).any(0).sum())
            for angle in angles
        )
        assert far <= 12  # of 256 pixels, for an angle up to a quarter of a degree away
    assert len({bytes(view.numpy().tobytes()) for view in turned}) == 11


def test_reflected_borders_are_refused_on_disk(paths: list[Path]) -> None:
    with pytest.raises(ValueError, match=r"^--crop reflected is for small images in memory, .*: use shifted"):
        shown(paths, crop="reflected")


def test_a_worker_that_a_signal_ended_is_no_matter_of_memory() -> None:
    error = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly\nkilled by signal: Terminated.")
    assert "resumes from its last save when the same command is run again" in worker_died(error)
    assert "memory" not in worker_died(error)
    assert "memory ran out" in worker_died(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."))


def test_a_signal_to_the_commands_group_does_not_reach_its_workers(paths: list[Path]) -> None:
    labels = torch.zeros(len(paths), dtype=torch.int64)
    batches = Folder(paths, labels, LoadOptions(2, 0, 16, workers=1), mean=MEAN, std=STD).batches("cpu")
    before = {*multiprocessing.active_children()}
    next(batches)
    (worker,) = {*multiprocessing.active_children()} - before
    assert worker.pid is not None
    assert os.getpgid(worker.pid) == worker.pid != os.getpgrp()
