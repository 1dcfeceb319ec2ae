from __future__ import annotations

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torchvision.transforms.v2 import functional as transforms

from stillhouse.data import InMemory, load


def test_digits_are_scikit_learns_enlarged_and_never_mirrored() -> None:
    data = load("digits", batch_size=64, seed=0)
    assert isinstance(data.train, InMemory)
    assert isinstance(data.test, InMemory)
    raw = load_digits()
    assert len(data.train) + len(data.test) == len(raw.target) == 1797
    assert data.train.num_views == 81
    assert data.info.image_size == 32
    assert data.classes == tuple("0123456789")
    assert torch.equal(data.train.images[..., 0], data.train.images[..., 2])  # grey

    small = torch.as_tensor(raw.images)[:, None] * 255 / 16
    large = transforms.resize(small, [32, 32], antialias=True).round().byte()[:, 0]
    expected = {(int(label), image.numpy().tobytes()) for label, image in zip(raw.target, large, strict=True)}
    for split in (data.train, data.test):
        ours = {
            (int(label), image.numpy().tobytes())
            for label, image in zip(split.labels, split.images[..., 0], strict=True)
        }
        assert ours <= expected


def test_the_test_set_is_a_fifth_of_each_class_and_the_same_in_every_run() -> None:
    one, other = load("digits", seed=0, split_seed=0), load(Path("digits"), seed=5, split_seed=3, validation=0.2)
    assert isinstance(one.test, InMemory)
    assert isinstance(other.test, InMemory)
    assert torch.equal(one.test.images, other.test.images)
    share = one.test.labels.bincount() / (one.test.labels.bincount() + one.train.labels.bincount())
    assert ((share - 0.2).abs() < 0.005).all()
