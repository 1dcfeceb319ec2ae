"""webdataset's archives: images and their classes one after another."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from stillhouse.data import InMemory, load
from tests.helpers.pictures import picture, png


def write(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload] # a mode is a mode
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def samples(numbers: range, label: str = "cls", text: str = "{}") -> dict[str, bytes]:
    found = {}
    for number in numbers:
        found[f"{number:06}.png"] = png(picture(number))
        found[f"{number:06}.{label}"] = text.format(number % 2).encode()
    return found


@pytest.mark.parametrize(
    ("label", "text", "classes"),
    [
        ("cls", "{}", ("0", "1")),
        ("cls", "{}\n", ("0", "1")),
        ("cls", "class {}", ("class 0", "class 1")),
        ("json", '{{"label": {}, "width": 8}}', ("0", "1")),
        ("json", '{{"class_name": "c{}"}}', ("c0", "c1")),
    ],
)
def test_shards_are_read_in_place(tmp_path: Path, label: str, text: str, classes: tuple[str, ...]) -> None:
    write(tmp_path / "train-0000.tar", samples(range(3), label, text))
    write(tmp_path / "train-0001.tar", samples(range(3, 6), label, text))
    write(tmp_path / "val-0000.tar", samples(range(6, 8), label, text))
    data = load(tmp_path)
    assert data.classes == classes
    assert data.train.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert isinstance(data.train, InMemory)
    for number in range(6):
        assert (data.train.images[number].numpy() == np.asarray(picture(number))).all()


def test_hidden_files_and_links_are_no_samples(tmp_path: Path) -> None:
    for split in ("train", "test"):
        path = write(tmp_path / f"{split}-0.tar", samples(range(4)) | {".png": png(picture(9)), ".cls": b"7"})
        with tarfile.open(path, "a") as archive:
            for name in ("000009.png", "000009.cls"):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.SYMTYPE, "000000" + name[6:]
                archive.addfile(link)
    data = load(tmp_path)
    assert (len(data.train), len(data.test), data.classes) == (4, 4, ("0", "1"))


def test_a_description_without_a_label_is_an_image_without_one(tmp_path: Path) -> None:
    write(
        tmp_path / "train-0.tar",
        samples(range(4), "json", '{{"label": {}}}') | {"9.png": png(picture(9)), "9.json": b'{"width": 8}'},
    )
    write(tmp_path / "test-0.tar", samples(range(4), "json", '{{"label": {}}}'))
    data = load(tmp_path)
    assert len(data.train) == 4
    assert "left out 1 train image of 5 without a label" in data.notes


def test_other_members_do_not_matter(tmp_path: Path) -> None:
    extra = {"000000.txt": b"a caption", "readme.md": b"hello", "seg/000000.cls": b"5"}
    write(tmp_path / "train-0.tar", samples(range(4)) | extra)
    write(tmp_path / "test-0.tar", {f"./dir/{name}": content for name, content in samples(range(4, 8)).items()})
    data = load(tmp_path)
    assert (len(data.train), len(data.test)) == (4, 4)
    assert data.notes == ("left out 2 samples of train-0.tar without an image",)


def test_images_without_a_class_are_counted(tmp_path: Path) -> None:
    train = samples(range(4))
    del train["000002.cls"]
    write(tmp_path / "train-0.tar", train)
    write(tmp_path / "test-0.tar", samples(range(4, 8)))
    data = load(tmp_path)
    assert (len(data.train), data.notes) == (3, ("left out 1 train image of 4 without a label",))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, r"holds no images \(it is empty\): each needs 000123.jpg and 000123.cls"),
        ({"0.txt": b"x"}, r"holds no images \(.txt\)"),
        ({"0.png": b"x", "1.png": b"y"}, "holds 2 images and no labels: each 000123.jpg needs a 000123.cls or .json"),
        ({"train/cat/0.png": b"x", "train/dog/0.png": b"x"}, r"holds images in folders \(cat and dog\) .*: unpack it"),
        ({"0.png": b"x", "0.json": b"{"}, "0.json in .* is not JSON"),
        ({"0.png": b"x", "0.json": b'{"label": [1, 2]}'}, "holds 2 values in one row .*one class for each image"),
        ({"0.png": b"x", "0.cls": bytes(2**20 + 1)}, "0.cls in .* holds 1,048,577 bytes; a class is expected"),
    ],
)
def test_what_is_lacking_is_said(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    write(tmp_path / "train-0.tar", members)
    write(tmp_path / "test-0.tar", samples(range(2)))
    with pytest.raises(ValueError, match=said):
        load(tmp_path)


def test_archives_that_cannot_be_read_in_place_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "test-0.tar", samples(range(2)))
    write(tmp_path / "train-0.tar", samples(range(2)), "w:gz")
    with pytest.raises(ValueError, match=r"train-0.tar cannot be read as a tar archive; it is compressed: gunzip it"):
        load(tmp_path)
    (tmp_path / "train-0.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(
        ValueError, match=r"train-0.tar cannot be read as a tar archive; it is damaged \(.*\): get it again"
    ):
        load(tmp_path)


def test_links_and_devices_in_archives_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png(picture(50)))
    write(tmp_path / "train-0.tar", samples(range(4)))
    with tarfile.open(tmp_path / "train-0.tar", "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"link{kind!r}.png")
            member.type, member.linkname = kind, str(tmp_path / "secret.png")
            archive.addfile(member)
    write(tmp_path / "test-0.tar", samples(range(4, 8)))
    assert len(load(tmp_path).train) == 4
