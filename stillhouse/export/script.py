"""The script beside a file of ONNX: thirty lines that make images ready for this file, and for no other."""

from __future__ import annotations

from importlib.resources import files
from string import Template
from textwrap import indent

from ..data.pixels.square import Resize, larger
from ..data.pixels.transparency import HIDDEN, colour_of
from .files import LOGITS, PIXELS, PROBABILITIES
from .preprocessing import Preprocessing

_KEYS = ("size", "resize", "share", "background", "max_value")  # of the metadata: what the script is written for
_STEPS = f'steps = list(map(about["preprocessing"].get, "{" ".join(_KEYS)}".split()))'
_STEPS_AND_NORMALISATION = f'*steps, mean, std = map(about["preprocessing"].get, "{" ".join(_KEYS)} mean std".split())'

_DEEP_BY_TYPE = """\
if image.mode[0] in "IF":  # 16 bits, of which the high byte is kept, or floats from 0 to 1
    levels = np.rint(np.asarray(image, float) * 255) if image.mode == "F" else np.asarray(image) // 256
    if levels.min() < 0 or not 16 <= levels.max() <= 255: raise ValueError("its values do not fill their range")
    image = Image.fromarray(np.uint8(levels))"""
_DEEP_BY_VALUE = """\
if image.mode[0] in "IF":  # more than 8 bits, or floats
    levels = np.rint(np.asarray(image, float) * (255 / $white))
    if levels.min() < 0 or not levels.max() <= 255: raise ValueError("its values are not from 0 to $white")
    image = Image.fromarray(np.uint8(levels))"""
_OPAQUE = 'image = image.convert("RGBA").convert("RGB")'
_COMPOSED = """\
image = Image.alpha_composite(Image.new("RGBA", image.size, "$colour"), image.convert("RGBA")).convert("RGB")"""
_SQUARE: dict[Resize, str] = {
    "crop": """\
width, height = ($large * side // min(image.size) for side in image.size)  # the shorter side becomes $large pixels
left, top = round((width - $size) / 2), round((height - $size) / 2)  # a half is rounded to the even number
image = scaled(scaled(image, width), height).crop((left, top, left + $size, top + $size))""",
    "squash": "image = scaled(scaled(image, $size), $size)",
    "squash_crop": "image = scaled(scaled(image, $large), $large).crop(($start, $start, $end, $end))",
    "pad": """\
width, height = (max(1, round(side * ($size / max(image.size)))) for side in image.size)  # the longer: $size
inner, image = scaled(scaled(image, width), height), Image.new("RGB", ($size, $size), "$colour")
image.paste(inner, (($size - width) // 2, ($size - height) // 2))""",
}
_UNLESS_DONE = "if image.size != ($size, $size):\n    "  # of squashed images that training held in memory
_PIXELS = "images = np.asarray(image)[None]"
_NORMALISED = "images = ((np.float32(image) / 255 - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1)[None]"
_RUN = {
    PROBABILITIES: 'probabilities = session.run(["probabilities"], {"images": images})[0][0]',
    LOGITS: 'logits = session.run(["logits"], {"images": images})[0][0]  # largest softmax: 1 / sum(exp(logits - max))',
}
_LARGEST = {PROBABILITIES: "probabilities.max()", LOGITS: "1 / np.exp(logits - logits.max()).sum()"}


def script(steps: Preprocessing, takes: str, returns: str) -> str:
    """Return a script that predicts as `stillhouse predict` does, with numpy, Pillow and onnxruntime only.

    It holds one way to make images square, one background and one meaning of deep pixels: those of its file. It refuses
    a file with others. Names of classes, mean and std are read from the file.

    Args:
        steps: From an image to the network's input.
        takes: `PIXELS` or `NORMALISED`.
        returns: `PROBABILITIES` or `LOGITS`.
    """
    large = round(steps.size / steps.share) if steps.resize == "crop" else larger(steps.size)
    start = round((large - steps.size) / 2)
    is_done = steps.resize == "squash_crop" and steps.share == 1
    red, green, blue = colour_of(steps.background)
    parts = (
        _DEEP_BY_TYPE if steps.max_value is None else _DEEP_BY_VALUE,
        _OPAQUE if steps.background == HIDDEN else _COMPOSED,
        (_UNLESS_DONE if is_done else "") + _SQUARE[steps.resize],
        _PIXELS if takes == PIXELS else _NORMALISED,
        _RUN[returns],
    )
    body = Template(indent("\n".join(parts), 8 * " ")).substitute(
        size=steps.size,
        large=large,
        start=start,
        end=start + steps.size,
        white=steps.max_value,
        colour=f"#{red:02x}{green:02x}{blue:02x}",
    )
    return Template(files("stillhouse.export").joinpath("predict.py.txt").read_text("utf-8")).substitute(
        read=_STEPS if takes == PIXELS else _STEPS_AND_NORMALISATION,
        steps=str([getattr(steps, key) for key in _KEYS]).replace("'", '"'),
        body=body,
        returns=returns,
        largest=_LARGEST[returns],
    )
