from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from stillhouse.data import DATASETS, InMemory, load
from stillhouse.data.named import find
from tests.helpers.archives import published, tar


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def write_cifar10(folder: Path) -> None:
    for number in range(1, 6):
        write(folder / f"data_batch_{number}", {"data": rows(20, number), "labels": [i % 10 for i in range(20)]})
    write(folder / "test_batch", {"data": rows(20, 9), "labels": [i % 10 for i in range(20)]})
    write(folder / "batches.meta", {"label_names": [f"name{i}" for i in range(10)]})


def write_cifar100(folder: Path) -> None:
    labels = [i % 100 for i in range(200)]
    for name, seed in (("train", 1), ("test", 2)):
        write(folder / name, {"data": rows(200, seed), "fine_labels": labels, "coarse_labels": [0] * 200})
    write(folder / "meta", {"fine_label_names": [f"name{i}" for i in range(100)]})


@pytest.mark.parametrize("parent", [False, True])
def test_cifar10_archive(tmp_path: Path, parent: bool) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    write_cifar10(folder)
    data = load(tmp_path if parent else folder, batch_size=8)
    assert isinstance(data.train, InMemory)
    assert (data.name, len(data.train), len(data.test), data.classes[3]) == ("cifar10", 100, 20, "name3")
    assert (data.mean, data.std) == ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    planes = torch.from_numpy(rows(20, 2)[4]).view(3, 32, 32)  # the fifth image of the second file
    assert torch.equal(data.train.images[24], planes.permute(1, 2, 0))


def test_cifar100_archive(tmp_path: Path) -> None:
    write_cifar100(tmp_path / "cifar-100-python")
    data = load(tmp_path, batch_size=8)
    assert (data.name, len(data.train), len(data.classes)) == ("cifar100", 200, 100)
    assert data.train.labels.tolist() == [i % 100 for i in range(200)]
    assert (data.mean, data.std) == ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))


@pytest.mark.parametrize("missing", ["train", "meta"])
def test_half_an_archive_is_none(tmp_path: Path, missing: str) -> None:
    write_cifar100(tmp_path)
    assert find(tmp_path) == (DATASETS["cifar100"], tmp_path)
    (tmp_path / missing).unlink()
    assert find(tmp_path) is None


def test_damaged_archives_name_the_file(tmp_path: Path) -> None:
    write_cifar100(tmp_path)
    whole = (tmp_path / "test").read_bytes()
    (tmp_path / "test").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"test cannot be read .*: unpack the archive again"):
        load(tmp_path)
    write(tmp_path / "test", {"data": rows(3, 0), "fine_labels": [0]})
    with pytest.raises(ValueError, match=r"test holds 3 images but 1 labels"):
        load(tmp_path)
    write(tmp_path / "test", {"data": rows(3, 0).astype(np.float64), "fine_labels": [0, 1, 2]})
    with pytest.raises(ValueError, match=r"test is not a CIFAR batch"):
        load(tmp_path)
    write(tmp_path / "test", {"data": rows(3, 0)})
    with pytest.raises(ValueError, match=r"test holds no fine_labels"):
        load(tmp_path)
    (tmp_path / "test").unlink()
    with pytest.raises(ValueError, match=r"test is missing: unpack the archive again"):
        load(tmp_path)


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    write_cifar100(tmp_path)
    write(tmp_path / "test", {"data": rows(2, 0), "fine_labels": [0, 100]})
    with pytest.raises(ValueError, match="the test split of cifar100 holds the label 100"):
        load(tmp_path)


def test_the_published_archive_is_checked_and_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar100(tmp_path / "made" / "cifar-100-python")
    tar(tmp_path / "made", tmp_path / "cifar-100-python.tar.gz")
    known = published(DATASETS["cifar100"], [tmp_path / "cifar-100-python.tar.gz"])
    monkeypatch.setitem(DATASETS, "cifar100", known)
    first = load("cifar100", download_to=tmp_path / "store")
    (tmp_path / "cifar-100-python.tar.gz").unlink()
    assert load("cifar100", download_to=tmp_path / "store").fingerprint == first.fingerprint
    assert first.fingerprint == load(tmp_path / "made").fingerprint


def test_two_archives_in_a_folder_are_not_chosen_between(tmp_path: Path) -> None:
    write_cifar10(tmp_path / "cifar-10-batches-py")
    write_cifar100(tmp_path / "cifar-100-python")
    with pytest.raises(ValueError, match=r"holds several data sets \(cifar10, cifar100\): pass the folder of one"):
        load(tmp_path)
    assert load(tmp_path / "cifar-100-python").name == "cifar100"


def test_torchvision_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path / "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda path, md5: True)
    data = load(tmp_path, batch_size=8)
    assert isinstance(data.train, InMemory)
    assert isinstance(data.test, InMemory)
    for ours, is_train in ((data.train, True), (data.test, False)):
        theirs = CIFAR10(str(tmp_path), train=is_train)
        assert np.array_equal(ours.images.numpy(), theirs.data)
        assert ours.labels.tolist() == theirs.targets
    assert list(data.classes) == theirs.classes
