"""What was decoded once is what would be decoded again, or it is decoded again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from stillhouse.data import Data, InMemory, decoded_cache, load
from tests.helpers.pictures import picture, png, write_classes, write_parquet


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_cache, "MANY", 6)


@pytest.fixture(params=["parquet", "folders"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data set of 6 images"""
    folder = tmp_path / "pets"
    if request.param == "folders":
        write_classes(folder / "train", ("cat", "dog"), per_class=2)
        write_classes(folder / "val", ("cat", "dog"), per_class=1)
    else:
        write_parquet(folder / "train-0.parquet", [png(picture(i)) for i in range(4)], [0, 1, 1, 0])
        write_parquet(folder / "test-0.parquet", [png(picture(i)) for i in range(4, 6)], [0, 1])
    return folder


def read(images: Path) -> Data:
    return load(images, batch_size=2, download_to=images.parent / "cache")


def shelf(images: Path) -> list[Path]:
    return sorted((images.parent / "cache" / "decoded").iterdir())


def same(one: Data, other: Data) -> bool:
    splits = [(one.train, other.train), (one.test, other.test)]
    for first, second in splits:
        assert isinstance(first, InMemory)
        assert isinstance(second, InMemory)
        if not (torch.equal(first.images, second.images) and torch.equal(first.labels, second.labels)):
            return False
    about = [(data.name, data.source, data.classes, data.mean, data.std, data.fingerprint) for data in (one, other)]
    return about[0] == about[1]


def without_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.data.placement.rgb", lambda *_: pytest.fail("decoded again"))


def test_the_second_time_nothing_is_decoded(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read(images)
    without_decoding(monkeypatch)
    second = read(images)
    assert same(first, second)
    assert isinstance(second.train, InMemory)
    second.train.images.zero_()  # of this process only
    assert same(first, read(images))


def test_a_changed_file_is_read_again_and_what_it_was_is_removed(images: Path) -> None:
    first, before = read(images), shelf(images)
    changed = next(path for path in sorted(images.rglob("*")) if path.is_file())
    if changed.suffix == ".png":
        picture(9).save(changed)
    else:
        write_parquet(changed, [png(picture(9)), png(picture(8))], [0, 1])
    os.utime(changed, ns=(1, 1))
    second = read(images)
    assert first.fingerprint != second.fingerprint
    assert len(shelf(images)) == len(before) == 1
    assert shelf(images) != before
    assert same(second, read(images))


@pytest.mark.parametrize("harm", ["flip", "cut", "header", "remove", "about", "format"])
def test_what_is_damaged_is_read_again(images: Path, harm: str) -> None:
    first = read(images)
    (folder,) = shelf(images)
    file = folder / ("about.json" if harm in ("about", "format") else "train_images.npy")
    content = file.read_bytes()
    if harm == "remove":
        file.unlink()
    else:
        ways = {
            "flip": content[:-1] + bytes([content[-1] ^ 1]),
            "cut": content[:-7],
            "header": content[:12] + b"((" + content[14:],
            "about": b"{",
            "format": b"[1]",
        }
        file.write_bytes(ways[harm])
    assert same(first, read(images))
    assert same(first, read(images))
    assert shelf(images) == [folder]
    assert file.read_bytes() == content


def test_two_files_that_changed_places_are_noticed(images: Path) -> None:
    first = read(images)
    one, other = [path for path in sorted(images.rglob("*")) if path.is_file()][:2]
    times = [path.stat().st_mtime_ns for path in (one, other)]
    one.rename(away := images / "away")
    other.rename(one)
    away.rename(other)
    for path, when in zip((other, one), times, strict=True):
        os.utime(path, ns=(when, when))
    assert read(images).fingerprint != first.fingerprint


def test_what_changes_while_it_is_read_is_not_kept(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = iter("abcd")
    monkeypatch.setattr("stillhouse.data.decoded_cache._stamp", lambda files: next(stamps))
    assert same(read(images), read(images))
    assert not (images.parent / "cache" / "decoded").exists()


def test_beyond_the_budget_what_was_not_read_for_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c, d, e = (f"{letter * 12}-{number * 16}" for letter, number in ("a1", "b1", "c1", "d1", "d2"))
    for age, name in enumerate((a, b, c, d, e)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(bytes(10))
        os.utime(tmp_path / name, (age, age))
    monkeypatch.setattr(decoded_cache, "BUDGET", 40)
    decoded_cache._tidy(tmp_path, tmp_path / e)
    assert sorted(path.name for path in tmp_path.iterdir()) == [b, c, e]


def test_what_is_not_ours_stays(images: Path) -> None:
    place = images.parent / "cache" / "decoded"
    for name in ("my photographs", ".hidden", "a-1"):
        (place / name).mkdir(parents=True)
        (place / name / "file").write_bytes(b"precious")
        os.utime(place / name, (1, 1))
    (place / ".a.swp").touch()
    read(images)
    assert {"my photographs", ".hidden", "a-1", ".a.swp"} < {path.name for path in shelf(images)}


def test_more_than_the_budget_is_not_kept(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_cache, "BUDGET", 1)
    assert same(read(images), read(images))
    assert not (images.parent / "cache").exists()


def test_what_nobody_finished_is_removed_in_time(images: Path) -> None:
    place = images.parent / "cache" / "decoded"
    for name in (".growing-old", ".growing-new"):
        (place / name).mkdir(parents=True)
    os.utime(place / ".growing-old", (1, 1))
    read(images)
    assert [path.name for path in shelf(images) if path.name.startswith(".")] == [".growing-new"]


def test_names_of_files_may_be_bytes(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    write_classes(folder, ("cat", "dog"), per_class=5)
    assert same(read(folder), read(folder))
    assert len(shelf(folder)) == 1


def test_it_does_not_matter_if_nothing_can_be_kept(images: Path) -> None:
    (images.parent / "cache").write_text("no folder")
    assert same(read(images), read(images))


def test_few_images_are_not_kept(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_cache, "MANY", 7)
    read(images)
    assert not (images.parent / "cache").exists()


def test_two_folders_do_not_meet(images: Path) -> None:
    other = images.parent / "pets2"
    shutil.copytree(images, other)
    assert read(images).source != read(other).source
    assert len(shelf(images)) == 2
    assert read(other).name == "pets2"
