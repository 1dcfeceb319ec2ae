from __future__ import annotations

import hashlib
import os
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from stillhouse.data import contents, load
from stillhouse.data.contents import examine, unseen_damage
from tests.helpers.pictures import picture, png, write_folders

FORMATS = [".jpg", ".png", ".gif", ".webp", ".bmp", ".tif", ".ppm", ".jp2"]


def broken(path: Path) -> bool:
    return bool(examine([path])[0].problem)


@pytest.mark.parametrize("suffix", FORMATS)
def test_whole_files_pass_and_cut_ones_are_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image{suffix}"
    picture(1, 60, 40).save(path)
    content = path.read_bytes()
    (whole,) = examine([path])
    assert (whole.width, whole.height, whole.problem) == (60, 40, "")
    assert whole.digest == hashlib.blake2b(content, digest_size=16).digest()
    for share in (0, 0.02, 0.5, 0.9):
        path.write_bytes(content[: int(share * len(content))])
        (cut,) = examine([path])
        assert cut.problem.startswith(f"{path} cannot be read as an image"), share


def test_whole_jpegs_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for suffix in (".jpg", ".png", ".bmp"):
        picture(1, 60, 40).save(tmp_path / f"image{suffix}")
    monkeypatch.setattr(contents, "rgb", lambda *_: pytest.fail("decoded"))
    assert not any(one.problem for one in examine(sorted(tmp_path.iterdir())))


def test_bytes_behind_the_end_do_not_matter(tmp_path: Path) -> None:
    for suffix in (".jpg", ".png", ".gif", ".webp", ".bmp"):
        picture(1, 60, 40).save(path := tmp_path / f"image{suffix}")
        for more in (b"\n", b"\0" * 100, b"a trailer of some program" * 1000):
            path.write_bytes(path.read_bytes() + more)
            assert not broken(path), suffix


@pytest.mark.parametrize(
    ("suffix", "options"), [(".jpg", {}), (".jpg", {"progressive": True}), (".png", {}), (".gif", {})], ids=str
)
def test_what_would_end_a_training_in_its_middle_is_found(tmp_path: Path, suffix: str, options: dict[str, Any]) -> None:
    picture(1, 300, 200).save(path := tmp_path / f"a{suffix}", **options)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + (b"\xff\xc8" + picture(2, 40).tobytes())[:4800] + content[middle + 4800 :])
    assert examine([path])[0].problem.startswith(f"{path} cannot be read as an image")


def test_a_damaged_webp_is_found_where_a_decoder_notices(tmp_path: Path) -> None:
    picture(1, 300, 200).save(path := tmp_path / "a.webp")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + b"\xff" * 4096 + content[middle + 4096 :])
    assert broken(path)


def test_zeros_in_the_middle_of_a_jpeg_are_found(tmp_path: Path) -> None:
    """No decoder complains, and shows garbage from there on."""
    picture(1, 300).save(path := tmp_path / "a.jpg")
    content = path.read_bytes()
    path.write_bytes(content[:20_000] + bytes(4096) + content[24_096:])
    problem = f"{path} has 4,096 bytes in its middle that were never written: get it again"
    assert examine([path])[0].problem == unseen_damage(path) == problem
    path.write_bytes(content[:20_000] + bytes(len(content) - 20_000))
    assert unseen_damage(path) == f"{path} ends in zeros, like an unfinished download: get it again"
    path.write_bytes(content)
    assert unseen_damage(path) == ""


def test_images_that_were_decoded_to_be_sure_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SOME", 1)
    picture(1).save(path := tmp_path / "a.gif")
    first = examine([path], tmp_path / "cache" / "known")
    monkeypatch.setattr(contents, "rgb", lambda *_: pytest.fail("decoded again"))
    assert examine([path], tmp_path / "cache" / "known") == first


def test_it_is_said_if_many_images_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MANY", 1)
    paths = [tmp_path / name for name in ("a.gif", "b.gif", "c.png")]
    for path in paths:
        picture(1).save(path)
    said: list[str] = []
    examine(paths, say=said.append)
    assert said == ["decoding 2 images once, because their formats do not tell otherwise whether they are whole"]


def test_one_wrong_bit_in_a_png_is_found(tmp_path: Path) -> None:
    content = bytearray(png(picture(1, 60)))
    content[len(content) // 2] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    assert broken(tmp_path / "a.png")


def test_a_download_that_was_not_finished_is_found(tmp_path: Path) -> None:
    """libjpeg shows grey for zeros, and Pillow says nothing."""
    picture(1, 300).save(path := tmp_path / "a.jpg")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    assert examine([path])[0].problem == f"{path} ends in zeros, like an unfinished download: get it again"


def test_what_is_no_image_or_gone_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>429 Too many requests</html>")
    (tmp_path / "c.jpg").mkdir()
    html, gone, folder = examine([tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")])
    assert "a.jpg cannot be read" in html.problem
    assert "b.jpg cannot be read (No such file or directory)" in gone.problem
    assert "c.jpg cannot be read (Is a directory)" in folder.problem


if find_spec("pillow_heif"):

    def test_photographs_of_phones_are_read(tmp_path: Path) -> None:
        write_folders(tmp_path, "a", "b", count=6, suffix=".heic")
        data = load(tmp_path)
        assert (len(data.train) + len(data.test), data.notes) == (12, ())


def test_a_large_file_is_not_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(1, 60).save(path := tmp_path / "a.jpg")
    whole = examine([path])
    monkeypatch.setattr(contents, "_LARGE", 100)
    assert examine([path]) == whole
    path.write_bytes(path.read_bytes()[:-200])
    assert broken(path)


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "FEW", 1)


@pytest.mark.usefixtures("few_are_many")
def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        picture(number, 10 + number).save(path)
    cache = tmp_path / "cache" / "known"
    first = examine(paths, cache)
    read: list[Path] = []
    usual = contents._read

    def counting(path: Path) -> contents._Read:
        read.append(path)
        return usual(path)

    monkeypatch.setattr(contents, "_read", counting)
    assert examine(paths, cache) == first
    assert read == []
    time.sleep(0.02)
    picture(9, 12).save(paths[2])
    changed = examine(paths, cache)
    assert read == [paths[2]]
    assert [one == other for one, other in zip(first, changed, strict=True)] == [True, True, False, True]
    assert examine(paths, cache) == changed
    assert read == [paths[2]]


@pytest.mark.usefixtures("few_are_many")
@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "folder"])
def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, harm: str) -> None:
    picture(1).save(path := tmp_path / "a.png")
    cache = tmp_path / "cache" / "known"
    first = examine([path], cache)
    content = cache.read_bytes()
    cache.unlink()
    if harm == "folder":
        cache.mkdir()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        cache.write_bytes({"cut": content[:-3], "flip": flipped, "empty": b""}[harm])
    assert examine([path], cache) == first


@pytest.mark.usefixtures("few_are_many")
def test_broken_files_are_looked_at_again(tmp_path: Path) -> None:
    (path := tmp_path / "a.png").write_text("x")
    for _ in range(2):
        assert examine([path], tmp_path / "cache" / "known")[0].problem


def test_it_is_said_if_reading_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(1, 60).save(path := tmp_path / "a.png")
    said: list[str] = []
    examine([path], say=said.append)
    assert said == []
    monkeypatch.setattr(contents, "MUCH", 1000)
    examine([path], say=said.append)
    assert said == ["reading 1 images (0 GB) once, to see which they are and whether they are whole"]


def test_few_files_leave_no_cache(tmp_path: Path) -> None:
    picture(1).save(path := tmp_path / "a.png")
    examine([path], tmp_path / "cache" / "known")
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("few_are_many")
def test_folders_that_were_not_read_for_longest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "KEPT", 2)
    picture(1).save(path := tmp_path / "a.png")
    for age, name in enumerate("abc"):
        examine([path], tmp_path / "cache" / name)
        os.utime(tmp_path / "cache" / name, (age + 1, age + 1))
    examine([path], tmp_path / "cache" / "d")
    assert sorted(file.name for file in (tmp_path / "cache").iterdir()) == ["c", "d"]


def test_a_file_of_a_terabyte_is_refused_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "a.png").touch()
    os.truncate(tmp_path / "a.png", 1 << 40)  # takes no room
    (content,) = examine([tmp_path / "a.png"], say=said.append)
    assert content.problem.endswith("a.png has 1,099,511,627,776 bytes, more than any image: replace or delete it")
    assert said == []
