from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stillhouse.data.decode import content_of
from stillhouse.data.named.ilsvrc import KIT, TRAIN, VALIDATION, labels, training_images, validation_images
from tests.data.named.layouts import WNIDS, kit_wnid, pack_imagenet, write_imagenet


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    write_imagenet(tmp_path / "folder")
    pack_imagenet(tmp_path / "folder", tmp_path / "archives")
    return tmp_path / "archives"


def test_images_keep_their_places_in_the_archives(archives: Path) -> None:
    folder = archives.parent / "folder"
    found = training_images(archives / TRAIN)
    assert list(found) == list(WNIDS)
    for wnid, images in found.items():
        files = sorted((folder / "train" / wnid).iterdir())
        assert [content_of(image) for image in images] == [path.read_bytes() for path in files]
        assert str(images[0]) == f"{wnid}_0.JPEG in {wnid}.tar of {TRAIN}"
    images = validation_images(archives / VALIDATION)
    files = sorted((folder / "val").glob("*/*.JPEG"), key=lambda path: path.name)
    assert [content_of(image) for image in images] == [path.read_bytes() for path in files]
    assert labels(archives) == labels(folder) == [path.parent.name for path in files]
    assert kit_wnid(3) == labels(folder)[0]


@pytest.mark.parametrize("name", [TRAIN, VALIDATION, KIT])
@pytest.mark.parametrize("part", [0.3, 0.6])
def test_archives_that_are_cut_off_are_refused(archives: Path, name: str, part: float) -> None:
    content = (archives / name).read_bytes()
    (archives / name).write_bytes(content[: int(part * len(content)) // 512 * 512 + 100])
    read: dict[str, Callable[[Path], object]] = {TRAIN: training_images, VALIDATION: validation_images, KIT: kit_labels}
    with pytest.raises(ValueError, match=rf"{name} is damaged .*get it again"):
        read[name](archives / name)


def kit_labels(path: Path) -> list[str]:
    return labels(path.parent)


def inner(name: str, kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.type, about.linkname, about.size = kind, "/etc/passwd", 3 if kind == tarfile.REGTYPE else 0
        archive.addfile(about, io.BytesIO(b"abc"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("n00000001.tar", inner("x", tarfile.SYMTYPE), "is a link, a device or one of too many"),
        ("n00000001.tar", inner("x", tarfile.CHRTYPE), "is a link, a device or one of too many"),
        ("n00000001.tar", b"hello" * 300, "is damaged"),
        ("../n0000001.tar", inner("x"), "is not a class of its own"),
        ("readme.txt", b"hello", "is not a class of its own"),
        (f"{WNIDS[0]}.tar", inner("x"), "is not a class of its own"),
    ],
)
def test_other_members_than_classes_are_refused(archives: Path, name: str, content: bytes, message: str) -> None:
    with tarfile.open(archives / TRAIN, "a") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    with pytest.raises(ValueError, match=message):
        training_images(archives / TRAIN)


def test_kits_without_their_tables_are_refused(archives: Path) -> None:
    with tarfile.open(archives / KIT, "w:gz") as archive:
        archive.add(archives / TRAIN, "ILSVRC2012_devkit_t12/data/other")
    with pytest.raises(ValueError, match=r"devkit_t12.tar.gz holds no data/meta.mat: get it again"):
        labels(archives)


@pytest.mark.parametrize(
    "synsets", [np.zeros((2, 2)), np.array([(1, "n1", 0)], dtype=[("a", "O"), ("b", "O"), ("c", "O")])]
)
def test_tables_of_something_else_are_refused(tmp_path: Path, synsets: np.ndarray) -> None:
    write_imagenet(tmp_path)
    savemat(tmp_path / "ILSVRC2012_devkit_t12" / "data" / "meta.mat", {"synsets": synsets})
    with pytest.raises(ValueError, match=r"meta.mat holds no table of classes"):
        labels(tmp_path)


def test_numbers_that_leave_one_out_are_refused(tmp_path: Path) -> None:
    write_imagenet(tmp_path)
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
    rows = np.array([(1, WNIDS[0], 0), (3, WNIDS[1], 0)], dtype=kind)
    savemat(tmp_path / "ILSVRC2012_devkit_t12" / "data" / "meta.mat", {"synsets": rows})
    with pytest.raises(ValueError, match=r"meta.mat does not number the classes from 1 on"):
        labels(tmp_path)
