from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from stillhouse.data import Arrays, InMemory, from_arrays
from stillhouse.data.arrays import channel_statistics


def arrays(train: int = 60, size: int = 8) -> Arrays:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (train + 9, size, size, 3), generator=generator, dtype=torch.uint8)
    labels = torch.arange(train + 9) % 3
    return Arrays("noise", "a test", images[:train], labels[:train], images[train:], labels[train:], ("a", "b", "c"))


def images(split: object) -> list[bytes]:
    assert isinstance(split, InMemory)
    return [image.numpy().tobytes() for image in split.images]


def test_statistics_are_those_of_the_pixels() -> None:
    pixels = arrays(5000).train_images.double() / 255  # more than one chunk
    mean, std = channel_statistics(arrays(5000).train_images)
    torch.testing.assert_close(torch.tensor(mean), pixels.mean((0, 1, 2)).float(), rtol=0, atol=6e-5)
    torch.testing.assert_close(torch.tensor(std), pixels.std((0, 1, 2), correction=0).float(), rtol=0, atol=6e-5)


def test_a_constant_channel_stays_finite() -> None:
    data = from_arrays(
        replace(arrays(), train_images=torch.zeros(60, 8, 8, 3, dtype=torch.uint8)), batch_size=4, seed=0
    )
    assert next(data.train.epoch(0, "cpu")).images.isfinite().all()


def test_known_normalisation_is_used() -> None:
    known = replace(arrays(), mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    data = from_arrays(known, batch_size=4, seed=0)
    assert (data.mean, data.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    expected = (known.test_images[0].double() / 255 - torch.tensor(data.mean)) / torch.tensor(data.std)
    torch.testing.assert_close(next(data.test.batches("cpu")).images[0], expected.permute(2, 0, 1).float())


def test_validation_is_disjoint_stratified_and_independent_of_the_runs_seed() -> None:
    whole = from_arrays(arrays(), batch_size=4, seed=0)
    first, other_run = (from_arrays(arrays(), batch_size=4, seed=seed, validation=0.1) for seed in (0, 1))
    other_split = from_arrays(arrays(), batch_size=4, seed=0, validation=0.1, split_seed=1)
    assert whole.validation is None
    assert first.validation is not None
    assert first.validation.labels.bincount().tolist() == [2, 2, 2]
    assert not set(images(first.train)) & set(images(first.validation))
    assert sorted(images(first.train) + images(first.validation)) == sorted(images(whole.train))
    assert images(first.validation) == images(other_run.validation) != images(other_split.validation)
    assert (first.mean, first.std) == (whole.mean, whole.std)
    assert "10 % of each training class held out for validation" in first.describe()


def test_info_and_fingerprint_are_those_of_the_training_split_in_use() -> None:
    whole, part = (from_arrays(arrays(), batch_size=4, seed=3, validation=v) for v in (0.0, 0.5))
    assert torch.equal(part.info.labels, part.train.labels)
    assert (part.info.num_classes, part.info.image_size, part.info.batch_size, part.info.seed) == (3, 8, 4, 3)
    assert whole.fingerprint == from_arrays(arrays(), batch_size=8, seed=9).fingerprint != part.fingerprint
    changed = arrays()
    changed.train_images[17, 3, 3, 0] ^= 1
    assert from_arrays(changed, batch_size=4, seed=3).fingerprint != whole.fingerprint
    relabelled = arrays()
    relabelled.test_labels[0] = 2
    assert from_arrays(relabelled, batch_size=4, seed=3).fingerprint != whole.fingerprint


def test_resizing_is_torchvisions() -> None:
    data = from_arrays(arrays(), batch_size=4, seed=0, image_size=16)
    assert isinstance(data.train, InMemory)
    assert data.info.image_size == 16
    expected = transforms.resize(arrays().train_images[5].permute(2, 0, 1), [16, 16])
    assert torch.equal(data.train.images[5].permute(2, 0, 1), expected)


def test_sizes_that_do_not_fit_memory_are_refused() -> None:
    with pytest.raises(ValueError, match=r"noise holds 8x8 images .* 8 to 64, not 224.* class folders"):
        from_arrays(arrays(), batch_size=4, seed=0, image_size=224)


def test_flips_can_be_chosen() -> None:
    assert from_arrays(arrays(), batch_size=4, seed=0).train.num_views == 162
    assert from_arrays(arrays(), batch_size=4, seed=0, flip=False).train.num_views == 81
    assert from_arrays(replace(arrays(), flip=False), batch_size=4, seed=0).train.num_views == 81


def test_bad_labels_name_the_data_set_and_split() -> None:
    wrong = replace(arrays(), test_labels=torch.full((9,), -1))
    with pytest.raises(ValueError, match="the test split of noise holds the label -1"):
        from_arrays(wrong, batch_size=4, seed=0)
    with pytest.raises(ValueError, match="the training split of noise holds the label 2"):
        from_arrays(replace(arrays(), classes=("a", "b")), batch_size=4, seed=0)


def test_only_measuring_needs_no_training_images() -> None:
    whole = arrays()
    bare = replace(whole, train_images=whole.train_images[:0], train_labels=whole.train_labels[:0])
    with pytest.raises(ValueError, match="the training split of noise holds no images"):
        from_arrays(bare)
    measured = from_arrays(bare, test_only=True)
    assert (len(measured.train), len(measured.test)) == (0, 9)
    assert measured.mean == channel_statistics(whole.test_images)[0]
