from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import FashionMNIST

from stillhouse.data import DATASETS, InMemory, load
from tests.helpers.archives import published


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


@pytest.mark.parametrize("is_packed", [False, True])
def test_torchvision_reads_the_same(tmp_path: Path, is_packed: bool) -> None:
    write_raw(tmp_path)
    data = load(tmp_path)
    theirs = FashionMNIST(str(tmp_path), train=True)
    if is_packed:
        pack(tmp_path)
        assert load(tmp_path).fingerprint == data.fingerprint
    assert isinstance(data.train, InMemory)
    assert torch.equal(data.train.images[:, 2:30, 2:30, 1], theirs.data)
    assert (list(data.classes), data.train.labels.tolist()) == (theirs.classes, theirs.targets.tolist())


def pack(root: Path) -> list[Path]:
    for path in list((root / "FashionMNIST" / "raw").iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return sorted((root / "FashionMNIST" / "raw").iterdir())


def test_the_published_files_are_fetched_checked_and_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_raw(tmp_path)
    files = pack(tmp_path)
    monkeypatch.setitem(DATASETS, "fashion_mnist", published(DATASETS["fashion_mnist"], files))
    store = tmp_path / "store"
    assert load("fashion_mnist", download_to=store).fingerprint == load(tmp_path).fingerprint
    name = "t10k-labels-idx1-ubyte.gz"
    (store / "FashionMNIST" / "raw" / name).write_bytes(gzip.compress(b"other"))
    with pytest.raises(ValueError, match=f"{name} is damaged or another file than the published one"):
        load("fashion_mnist", download_to=store)


@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"1", lambda raw: b"", lambda raw: raw[8:]])
@pytest.mark.parametrize("is_packed", [False, True])
def test_damaged_files_are_refused(tmp_path: Path, change: Callable[[bytes], bytes], is_packed: bool) -> None:
    write_raw(tmp_path)
    path = tmp_path / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    if is_packed:
        pack(tmp_path)
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte\S* is damaged or not a file of Fashion-MNIST"):
        load(tmp_path)
    if is_packed:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(bytes(100_000))[:-20])
        with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte.gz is damaged .*get it again"):
            load(tmp_path)
