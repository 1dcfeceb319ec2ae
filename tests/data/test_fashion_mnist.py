from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import FashionMNIST

from stillhouse.data import InMemory, load


def write_raw(root: Path) -> np.ndarray:
    """The four unpacked files, with 20 random images in each split; returns those of the training split"""
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    labels = np.arange(20, dtype=np.uint8) % 10
    for prefix in ("train", "t10k"):
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 20, 28, 28) + pixels.tobytes())
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 20) + labels.tobytes())
    return pixels


def test_grey_images_get_a_border_and_three_channels(tmp_path: Path) -> None:
    pixels = write_raw(tmp_path)
    data = load("fashion_mnist", download_to=tmp_path)
    assert isinstance(data.train, InMemory)
    assert data.train.images.shape == (20, 32, 32, 3)
    for channel in range(3):
        assert torch.equal(data.train.images[:, 2:30, 2:30, channel], torch.from_numpy(pixels))
    assert int(data.train.images.sum()) == 3 * int(pixels.astype(np.int64).sum())  # the border is black
    assert data.train.num_views == 162
    assert data.classes[9] == "Ankle boot"


def test_normalisation_is_the_known_one_with_the_border_counted_in(tmp_path: Path) -> None:
    write_raw(tmp_path)
    data = load("fashion_mnist", download_to=tmp_path)
    share = 28 * 28 / (32 * 32)
    mean = 0.2860 * share
    std = ((0.3530**2 + 0.2860**2) * share - mean**2) ** 0.5
    assert (data.mean[0], data.std[0]) == pytest.approx((mean, std), abs=5e-5)


def test_without_a_network_the_message_says_what_to_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(self: FashionMNIST) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(FashionMNIST, "download", offline)
    with pytest.raises(ValueError, match=r"fashion_mnist could not be downloaded .*four .gz files"):
        load("fashion_mnist", download_to=tmp_path)
