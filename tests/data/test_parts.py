"""Parts of a training set: a fixed fraction of each class, beside the images for validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from stillhouse.data import Arrays, Data, Folder, InMemory, LoadOptions, from_arrays, load
from stillhouse.data.held_out import part_of_each_class, pixel_keys
from stillhouse.data.splits import held_out_by_name, name_keys
from tests.helpers.pictures import write_classes

KEYS = name_keys([f"cat/{number}.png" for number in range(90)])
LABELS = torch.arange(90) % 2 + (torch.arange(90) > 79).long()  # 40, 45 and 5 images


def noise(count: int = 60) -> Arrays:
    images = torch.randint(256, (count, 8, 8, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.arange(count) % 3
    return Arrays("noise", "a test", images, labels, images[:9].clone(), labels[:9], ("a", "b", "c"))


def pictures(split: object) -> set[bytes]:
    assert isinstance(split, InMemory)
    return {image.numpy().tobytes() for image in split.images}


@pytest.mark.parametrize(("fraction", "counts"), [(0.2, [8, 9, 1]), (0.5, [20, 22, 2]), (0.001, [1, 1, 1])])
def test_each_class_gives_its_share_and_at_least_one_image(fraction: float, counts: list[int]) -> None:
    kept = part_of_each_class(KEYS, LABELS, fraction)
    assert LABELS[kept].bincount().tolist() == counts
    assert torch.equal(kept, torch.unique(kept))


def test_a_smaller_part_lies_within_a_larger_one_and_order_does_not_matter() -> None:
    def chosen(fraction: float, order: Tensor | None = None, seed: int = 0) -> set[int]:
        order = torch.arange(90) if order is None else order
        kept = part_of_each_class(KEYS[order], LABELS[order], fraction, seed)
        return set(KEYS[order][kept].tolist())

    assert chosen(0.2) < chosen(0.3) < chosen(0.9)
    assert chosen(0.3) == chosen(0.3, torch.randperm(90, generator=torch.Generator().manual_seed(1)))
    assert chosen(0.3) != chosen(0.3, seed=1)


def test_it_is_not_drawn_as_validation_images_are() -> None:
    """Else a fifth would be just the images that `--validation 0.2` keeps from training."""
    kept, (_, held_out) = part_of_each_class(KEYS, LABELS, 0.5), held_out_by_name(KEYS, LABELS, 0.5)
    assert 10 < len(set(kept.tolist()) & set(held_out.tolist())) < 35


def test_which_images_it_takes_never_changes() -> None:
    assert part_of_each_class(KEYS, LABELS, 0.1).tolist() == OF_EVERY_VERSION


OF_EVERY_VERSION = [3, 16, 31, 46, 47, 58, 62, 79, 83]


def test_equal_pixels_have_equal_keys() -> None:
    images = noise().train_images
    keys = pixel_keys(torch.cat([images, images[:1]]))
    assert keys[0] == keys[-1]
    assert len(torch.unique(keys)) == 60
    assert torch.equal(pixel_keys(images.flip(0).flip(0)), pixel_keys(images))


def test_in_memory_it_is_the_same_for_every_seed_and_size_and_of_what_validation_leaves() -> None:
    whole, part, again = noise_data(), noise_data(0.2), noise_data(0.2, seed=5)
    assert part.train.labels.tolist() == part.info.labels.tolist()
    assert part.train.labels.bincount().tolist() == [4, 4, 4]
    assert pictures(part.train) == pictures(again.train) < pictures(whole.train)
    assert part.fingerprint == again.fingerprint != whole.fingerprint
    assert (part.mean, part.std, len(part.test)) == (whole.mean, whole.std, len(whole.test))
    assert part.source == "a test; trained on 20 % of each class, 48 images left out"
    assert "noise: 12 training, 9 test images" in part.describe()
    larger = noise_data(0.2, image_size=16)
    assert larger.train.labels.tolist() == part.train.labels.tolist()
    assert pictures(larger.train) == pictures(noise_data(image_size=16).train) & pictures(larger.train)

    held_out, both = noise_data(validation=0.25), noise_data(0.4, validation=0.25)
    assert pictures(both.validation) == pictures(held_out.validation)
    assert pictures(both.train) < pictures(held_out.train)
    assert both.train.labels.bincount().tolist() == [6, 6, 6]
    assert both.source.endswith("with split seed 0; trained on 40 % of each class, 27 images left out")


def noise_data(train_fraction: float = 1.0, **changes: float) -> Data:
    return from_arrays(noise(), LoadOptions().but(train_fraction=train_fraction, **changes))


def test_shuffled_images_give_the_same_part() -> None:
    order, arrays = torch.randperm(60, generator=torch.Generator().manual_seed(2)), noise()
    shuffled = replace(arrays, train_images=arrays.train_images[order], train_labels=arrays.train_labels[order])
    parts = [pictures(from_arrays(one, train_fraction=0.3).train) for one in (arrays, shuffled)]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_files_in_memory_and_on_disk_give_the_same_part(tmp_path: Path, validation: float) -> None:
    write_classes(tmp_path / "small" / "train", "ab", 20)
    write_classes(tmp_path / "large" / "train", "ab", 20, width=70)
    for size in ("small", "large"):
        write_classes(tmp_path / size / "test", "ab", 2, width=8 if size == "small" else 70)
    small, large = (
        load(tmp_path / size, train_fraction=0.2, validation=validation, workers=0, download_to=tmp_path / "cache")
        for size in ("small", "large")
    )
    assert isinstance(large.train, Folder)
    names = {path.relative_to(tmp_path / "large") for path in large.train.paths if isinstance(path, Path)}
    assert small.train.labels.tolist() == large.train.labels.tolist()
    assert pictures(small.train) == pictures_at(tmp_path / "small", names)
    assert large.train.labels.bincount().tolist() == small.train.labels.bincount().tolist()
    if not validation:
        assert large.train.labels.tolist() == [0] * 4 + [1] * 4
        assert large.source.endswith("trained on 20 % of each class, 32 images left out")
        assert large.fingerprint != load(tmp_path / "large", workers=0, download_to=tmp_path / "cache").fingerprint


def pictures_at(root: Path, names: set[Path]) -> set[bytes]:
    return {np.asarray(Image.open(root / name)).tobytes() for name in names}


def test_a_test_set_alone_has_no_part_to_take(tmp_path: Path) -> None:
    write_classes(tmp_path, "ab", 3)
    data = load(tmp_path, test_only=True, train_fraction=0.5, download_to=tmp_path.parent / "cache")
    assert (len(data.train), len(data.test)) == (0, 6)
