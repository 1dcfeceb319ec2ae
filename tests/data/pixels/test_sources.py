"""Bytes of images in files, parts of files and memory."""

import os
from pathlib import Path

import pytest

from stillhouse.data.pixels import sources
from stillhouse.data.pixels.sources import Encoded, FilePart, content_of, ready


def test_the_bytes_are_the_same_wherever_they_are(tmp_path: Path) -> None:
    (tmp_path / "alone").write_bytes(b"pixels")
    (tmp_path / "many").write_bytes(b"before pixels after")
    for source in (tmp_path / "alone", FilePart(tmp_path / "many", 7, 6, "a"), Encoded(b"pixels", "a"), b"pixels"):
        assert content_of(source) == ready(source, "a") == b"pixels"


def test_a_part_that_ends_too_early_is_as_long_as_the_file(tmp_path: Path) -> None:
    (tmp_path / "many").write_bytes(b"before pix")
    assert content_of(FilePart(tmp_path / "many", 7, 6, "a")) == b"pix"


def test_files_that_take_many_reads_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(bytes(range(200)))
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, at: whole(file, min(size, 7), at))
    assert content_of(tmp_path / "file") == bytes(range(200))


def test_large_files_are_left_to_pillow_and_empty_ones_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large").write_bytes(bytes(100))
    (tmp_path / "empty").touch()
    monkeypatch.setattr(sources, "WHOLE", 99)
    assert ready(tmp_path / "large", "a") == tmp_path / "large"
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    assert ready(tmp_path / "empty", "a") == b""


def test_what_is_no_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("it was opened"))
    for place, sentence in (
        (tmp_path, "a is a folder, pipe, socket or device: remove it"),
        (Path("/dev/zero"), "a is a folder, pipe, socket or device: remove it"),
        (tmp_path / "none", "a is missing: restore it"),
        (tmp_path / "nul\0", "a is missing: restore it"),
    ):
        with pytest.raises(ValueError, match=f"^{sentence}$"):
            ready(place, "a")
