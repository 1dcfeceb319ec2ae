"""Any image file or its bytes as RGB pixels, or a sentence that says which image cannot be read, and why.

All pixels of the package come from here. What is done to which kind of image is written down in `rgb`; when that comes
to mean something else, `RULES` is raised, and what was kept of decoded images is decoded again.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import PIL
from PIL import Image, ImageOps

from .pixels.deep import eight_bits, raw_mode
from .pixels.sources import Encoded as Encoded, FilePart as FilePart, Source as Source, content_of as content_of, ready
from .pixels.strange_files import kind_of, libtiff_errors, refuse_scans
from .pixels.transparency import BACKGROUND, HIDDEN, colour_of, compose, with_alpha

RULES = 2  # of turning files into pixels
EXACT = 89_478_485  # pixels; larger images are reduced before they are used (Pillow warns from here on)
LARGEST = 256_000_000  # pixels; decoding takes four bytes for each

# Formats that Pillow decodes by itself. It would start other programs for some others (EPS). MPO is opened as JPEG.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000", "PCX", "QOI", "SGI", "HEIF")
with suppress(ImportError):  # not everybody has photographs of phones
    from pillow_heif import register_heif_opener

    register_heif_opener()


@dataclass(frozen=True)
class Decoding:
    """Choices in turning images into 8-bit RGB.

    Args:
        background: Colour behind transparent pixels: a name or #rrggbb; "none" shows what lies under transparency.
        max_value: Value that becomes white in images of more than 8 bits. None: the largest of their type, 65535 for
            16 bits, 4095 for 12, 1.0 for floats.
    """

    background: str = BACKGROUND
    max_value: float | None = None

    def __post_init__(self) -> None:
        if self.max_value is not None and not 0 < self.max_value < math.inf:
            raise ValueError(f"--max_value must be above 0, not {self.max_value:g}")
        colour_of(self.background)  # which raises for a wrong one

    def rules(self) -> str:
        """Return what pixels depend on beside the file, for what a run is known by."""
        return f"decoding {RULES}, background {self.background}, white at {self.max_value}"

    def key(self) -> str:
        """Return the same with the libraries that decode, for what is kept of decoded images."""
        return f"{self.rules()}, Pillow {PIL.__version__}"


PLAIN = Decoding()


def rgb(source: Source | bytes, name: str, decoding: Decoding = PLAIN) -> Image.Image:
    """Decode an image as people see it, upright, in 8-bit RGB.

    Grey, palette, CMYK, YCbCr and 1-bit images are converted. EXIF's orientation is applied. Transparent pixels are
    composed on `decoding.background`. Images of more than 8 bits are scaled by their type or by `decoding.max_value`.
    Of animations and of files with several pages the first image is taken. Colour profiles are ignored.
    Images of more than 89 megapixels are reduced by a whole factor, JPEGs while they are decoded.

    Args:
        name: Name of the image in messages.

    Raises:
        ValueError: If it cannot be read, or nothing could be seen on it.
    """
    with opened(source, name) as image:
        raw = raw_mode(image)
        try:
            with libtiff_errors(image):
                shrunk = _load(image)
        except Exception as error:  # Pillow's plugins raise anything for a damaged file
            raise ValueError(_broken(name, error)) from error
        flat = _flat(shrunk, raw, name, decoding)
    return _reduced(flat)


@dataclass(frozen=True)
class Header:
    """Size and number of frames of an image, from the beginning of its file."""

    width: int  # as it is shown
    height: int
    frames: int


def header(source: Source | bytes, name: str) -> Header:
    """Read the size of an image and the number of its frames without decoding it.

    Raises:
        ValueError: If it is not an image that can be read.
    """
    with opened(source, name) as image:
        width, height = image.size
        exif = partial(Image.Image.getexif, image)  # that of PNG decodes the image
        if orientation_of(exif) >= 5 and image.format != "TIFF":  # whose size Pillow turns itself
            width, height = height, width
        try:
            frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # phones keep previews beside it
        except Exception:  # Pillow raises anything for a damaged file; decoding will say so
            frames = 1
        return Header(width, height, frames)


@contextmanager
def opened(source: Source | bytes, name: str) -> Iterator[Image.Image]:
    """Open an image of an allowed format for the length of a `with`, and keep Pillow's warnings and limits away."""
    with quiet():
        given, image = _open(source, name)
        with image:
            refuse_scans(image, lambda: content_of(given), name)
            yield image


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Pillow's warnings and limits away, from one image or, around many, from all of them at once."""
    if Image.MAX_IMAGE_PIXELS == LARGEST // 2:  # it is done already
        yield
        return
    usual = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.MAX_IMAGE_PIXELS = LARGEST // 2  # up to twice as many Pillow only warns
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = usual


def _open(source: Source | bytes, name: str) -> tuple[bytes | Path, Image.Image]:
    given: bytes | Path | None = None
    try:
        given = ready(source, name)
        is_targa = isinstance(source, Path) and source.suffix.lower() == ".tga"  # which has no mark of its own
        formats = (*_formats(), "TGA") if is_targa else _formats()
        return given, Image.open(io.BytesIO(given) if isinstance(given, bytes) else given, formats=formats)
    except PIL.UnidentifiedImageError:
        assert given is not None
        raise ValueError(f"{name} cannot be read as an image: {kind_of(_start(given))}") from None
    except Exception as error:  # Pillow's plugins raise anything for a damaged file
        if given is None and isinstance(error, ValueError):
            raise
        raise ValueError(_broken(name, error)) from error


@cache
def _formats() -> tuple[str, ...]:
    """Return those of `FORMATS` that this Pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _broken(name: str, error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"{name} has more than {LARGEST // 10**6} megapixels, the most that is read: save it smaller"
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{name} cannot be read as an image ({reason}): replace or delete it"


def _start(given: bytes | Path) -> bytes:
    if isinstance(given, bytes):
        return given[:200]
    with given.open("rb") as file:
        return file.read(200)


def _load(image: Image.Image) -> Image.Image:
    """Decode, turn upright, and reduce what is very large."""
    factor = _factor(image)
    if factor > 1:
        image.draft(image.mode, (image.width // factor, image.height // factor))  # of JPEGs only
    image.load()
    orientation = orientation_of(image.getexif)
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"):  # others when they are one of these
        image = _reduced(image)
    return ImageOps.exif_transpose(image) if orientation > 1 else image


def orientation_of(exif: Callable[[], Image.Exif]) -> int:
    """Return how the camera was held, 1 to 8; 1 where nothing readable says so."""
    try:
        return int(exif().get(0x0112, 1))
    except Exception:  # Pillow raises anything for damaged EXIF, which is common and no reason to refuse the pixels
        return 1


def _factor(image: Image.Image) -> int:
    return math.ceil(math.sqrt(image.width * image.height / EXACT))


def _reduced(image: Image.Image) -> Image.Image:
    factor = _factor(image)
    return image.reduce(factor) if factor > 1 else image


def _flat(image: Image.Image, raw: str, name: str, decoding: Decoding) -> Image.Image:
    """Return the image in RGB."""
    image = with_alpha(eight_bits(image, raw, name, decoding.max_value))
    if image.mode == "RGBA" and decoding.background != HIDDEN:
        return compose(image, name, decoding.background)
    try:
        return image if image.mode == "RGB" else image.convert("RGB")
    except ValueError:
        raise ValueError(f"{name} has {image.mode} pixels, which cannot be made RGB: save it as RGB") from None
