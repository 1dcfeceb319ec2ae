"""What a file is that is no image, and damage that libtiff tells the terminal alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from stillhouse.data.decode import header, rgb
from stillhouse.data.pixels.strange_files import kind_of
from tests.helpers.pictures import encoded, picture


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1", "it is a Git LFS pointer; run git lfs pull"),
        (b"\n <!DOCTYPE html>", "it is a web page; download the image again"),
        (b"\0\0\0\x18ftypisom", "it is not in an image format that is read; replace or delete it"),
        (b"%PDF-1.7", "it is a PDF; save its pages as PNG"),
        (b'<?xml version="1.0"?>', "it is XML, perhaps an SVG drawing; save it as PNG"),
        (b"\0\0\0\x18ftypheic", "it is HEIC; install pillow-heif, or save it as JPEG or PNG"),
        (bytes(128) + b"DICM", "it is DICOM; save it as 16-bit PNG"),
        (b"\xff\xd8\xff", "it is a JPEG file that is damaged or of a rare kind; replace it, or save it as PNG"),
        (b"", "it is empty; replace or delete it"),
        (bytes(50), "it holds only zeros; replace or delete it"),
        (b"hello", "it is not in an image format that is read; replace or delete it"),
    ],
)
def test_a_file_is_called_by_its_kind(start: bytes, words: str) -> None:
    assert kind_of(start) == words


@pytest.mark.parametrize("compression", ["group4", "tiff_lzw", "tiff_deflate", "jpeg"])
def test_a_damaged_tiff_is_refused_and_libtiff_stays_silent(
    compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    image = picture(1, 64).convert("1" if compression == "group4" else "RGB")
    whole = bytearray(encoded(image, "TIFF", compression=compression))
    assert rgb(bytes(whole), "a").size == (64, 64)
    third = len(whole) // 3
    whole[third : third + 40] = b"\xff" * 40
    with pytest.raises(ValueError, match=r"^scan.tif cannot be read as an image \(.+\): replace or delete it$"):
        rgb(bytes(whole), "scan.tif")
    assert capfd.readouterr().err == ""


def test_a_whole_tiff_may_have_tags_that_libtiff_does_not_know(capfd: pytest.CaptureFixture[str]) -> None:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[65000] = "of a microscope"
    file = encoded(Image.new("RGB", (8, 8), "red"), "TIFF", compression="tiff_lzw", tiffinfo=tags)
    assert rgb(file, "a").getpixel((0, 0)) == (255, 0, 0)
    assert capfd.readouterr().err == ""


def test_a_jpeg_of_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    whole = encoded(picture(3), "JPEG", progressive=True)
    (tmp_path / "a.jpg").write_bytes(whole)
    header(tmp_path / "a.jpg", "a.jpg")
    (tmp_path / "a.jpg").write_bytes(whole[:-2] + 101 * b"\xff\xda\0\x08\x01\x01\0\x01\x3f\0" + whole[-2:])
    for read in (header, rgb):
        with pytest.raises(ValueError, match=r"a\.jpg has more than 100 scans"):
            read(tmp_path / "a.jpg", "a.jpg")


def test_a_file_without_bytes_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").touch()  # as /proc/kmsg, which would wait for ever
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(ValueError, match=r"a\.png cannot be read as an image: it is empty"):
        rgb(tmp_path / "a.png", "a.png")
