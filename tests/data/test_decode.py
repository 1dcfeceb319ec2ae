"""Every kind of image file comes out as people see it, or is refused with a sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from stillhouse.data import decode
from stillhouse.data.decode import Decoding, FilePart, Header, header, rgb
from tests.helpers.pictures import encoded, picture, png

STARTS = ("subprocess.Popen", "os.exec", "os.system", "os.posix_spawn", "os.fork")
TURNED = {  # how a sensor holds an upright image, by EXIF's orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def test_png_bytes_files_and_parts_of_files_are_pixels_unchanged(tmp_path: Path) -> None:
    picture(3).save(tmp_path / "a.png")
    (tmp_path / "b").write_bytes(b"before" + png(picture(3)) + b"behind")
    part = FilePart(tmp_path / "b", 6, len(png(picture(3))), "b")
    for source in (tmp_path / "a.png", png(picture(3)), part):
        assert (pixels(rgb(source, "a")) == np.asarray(picture(3))).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "I;16", "LA", "PA", "RGBA"])
def test_every_mode_becomes_the_same_picture(mode: str) -> None:
    whole = Image.new("L", (8, 8), 255)
    whole.paste(0, (0, 0, 8, 4))
    image = Image.fromarray(np.asarray(whole).astype(np.uint16) * 257) if mode == "I;16" else whole.convert("RGB")
    image = image if mode == "I;16" else image.convert(mode)
    result = pixels(rgb(encoded(image, "TIFF"), "a"))
    assert (result == np.asarray(whole)[..., None]).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "MPO", "AVIF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_photograph_is_upright_however_the_camera_was_held(kind: str, orientation: int) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    upright = np.zeros((60, 40, 3), np.uint8)
    upright[:20, :10] = 255  # no turn nor mirror image looks the same
    turn = TURNED[orientation]
    held = Image.fromarray(upright) if turn is None else Image.fromarray(upright).transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"save_all": True, "append_images": [held]} if kind == "MPO" else {}
    file = encoded(held, kind, exif=exif, **more)
    result = pixels(rgb(file, "a")).astype(int)
    assert result.shape == upright.shape
    assert np.abs(result - upright).mean() < 3
    assert header(file, "a") == Header(40, 60, 1)


def test_damaged_exif_turns_nothing() -> None:
    file = encoded(picture(1, 16), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + bytes(50))
    assert (pixels(rgb(file, "a")) == pixels(rgb(encoded(picture(1, 16), "JPEG"), "a"))).all()


def test_a_cmyk_photograph_has_its_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg")  # with Adobe's mark, so inverted
    assert pixels(rgb(tmp_path / "red.jpg", "a"))[4, 4].tolist() == pytest.approx([254, 0, 0], abs=20)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), (50 * number, 0, 0)) for number in range(4)]
    options = {"lossless": True} if kind == "WEBP" else {}
    file = encoded(frames[1], kind, save_all=True, append_images=frames[2:], **options)
    assert pixels(rgb(file, "a"))[0, 0, 0] == 50
    assert header(file, "a") == Header(8, 8, 3)


def test_damaged_images_are_named() -> None:
    whole, jpeg = png(picture(0, 32)), encoded(picture(0, 64), "JPEG", progressive=True)
    damaged = [whole[:100], whole[: len(whole) // 2], whole[:60] + b"\0\0" + whole[62:], jpeg[: len(jpeg) // 2]]
    for file in (*damaged, b"", b"no image", bytes(100)):
        with pytest.raises(ValueError, match=r"^cats/1.png cannot be read as an image.*replace or delete it$"):
            rgb(file, "cats/1.png")


def test_what_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # nobody writes into it: reading would never end
    with pytest.raises(ValueError, match=r"pipe.png is a folder, pipe, socket or device: remove it"):
        rgb(tmp_path / "pipe.png", "pipe.png")
    with pytest.raises(ValueError, match=r"^none.png is missing: restore it$"):
        rgb(tmp_path / "none.png", "none.png")


started: list[str] = []
sys.addaudithook(lambda event, _: started.append(event) if event in STARTS else None)


def test_formats_that_run_programs_are_never_opened(tmp_path: Path) -> None:
    """Not even by their contents, under another name."""
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n0 0 moveto\n%%EOF\n"
    for name in ("a.png", "a.eps"):
        (tmp_path / name).write_bytes(postscript)
        started.clear()
        with pytest.raises(ValueError, match=r"^a cannot be read as an image: it is PostScript; save it as PNG$"):
            rgb(tmp_path / name, "a")
        assert started == []


def test_very_large_images_are_reduced_and_larger_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "EXACT", 100 * 100)
    monkeypatch.setattr(decode, "LARGEST", 300 * 300)
    smooth = Image.linear_gradient("L").resize((200, 100)).convert("RGB")
    for kind, mode in (("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("JPEG", "RGB")):
        result = rgb(encoded(smooth.convert(mode), kind), "a")
        assert result.size == (100, 50)
        assert np.abs(pixels(result).astype(int) - np.asarray(smooth.reduce(2))).mean() < (6 if mode == "P" else 3)
    assert rgb(png(smooth.crop((0, 0, 100, 100))), "a").size == (100, 100)
    with pytest.raises(ValueError, match=r"^a has more than 0 megapixels, the most that is read: save it smaller$"):
        rgb(png(smooth.resize((301, 300))), "a")


def test_pillows_limit_is_left_as_it_was() -> None:
    usual = Image.MAX_IMAGE_PIXELS
    rgb(png(picture(1)), "a")
    with pytest.raises(ValueError, match="cannot be read"):
        rgb(b"no image", "a")
    assert usual == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"background": "whitish"}, "--background must be a colour such as white or #808080, or none, not 'whitish'"),
        ({"max_value": 0.0}, "--max_value must be above 0, not 0"),
        ({"max_value": float("inf")}, "--max_value must be above 0, not inf"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Decoding(**options)  # type: ignore[arg-type] # by name


def test_rules_tell_options_apart() -> None:
    several = (Decoding(), Decoding("black"), Decoding(max_value=4095))
    assert len({decoding.rules() for decoding in several}) == len({decoding.key() for decoding in several}) == 3
