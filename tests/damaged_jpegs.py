"""JPEGs that are damaged at random: the look before a training finds all that cannot be decoded.

python -m tests.damaged_jpegs 20000 --seed 3
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator

from PIL import Image

from stillhouse.data.contents import examine
from stillhouse.data.decode import Encoded, rgb
from tests.helpers.pictures import encoded, picture

WAYS = (
    {"quality": 90},
    {"quality": 10},
    {"subsampling": 0},
    {"optimize": True},
    {"progressive": True},
    {"restart_marker_blocks": 4},
    {"restart_marker_rows": 1},
)


def smooth(width: int, height: int) -> Image.Image:
    return picture(width, 12, 9).resize((width, height), Image.Resampling.BICUBIC)


def originals() -> list[bytes]:
    half_white = smooth(160, 120)
    half_white.paste((255, 255, 255), (0, 60, 160, 120))
    pictures = [smooth(160, 120), smooth(90, 60).convert("L"), smooth(60, 60).convert("CMYK"), half_white]
    return [encoded(one, "JPEG", **way) for one in pictures for way in WAYS]


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return it with one piece replaced by noise, zeros, ones or another piece, or missing; or a bit turned."""
    start = draw.randrange(2, len(content) - 2 if draw.random() < 0.7 else min(600, len(content) - 2))
    length = draw.randrange(1, 2000)
    before, piece, after = content[:start], content[start : start + length], content[start + length :]
    other = draw.randrange(2, len(content))
    turned = bytes([piece[0] ^ 1 << draw.randrange(8)]) + piece[1:]
    marker = bytes([0xFF, draw.randrange(1, 255)])
    ways = (
        before + draw.randbytes(len(piece)) + after,
        before + bytes(len(piece)) + after,
        before + b"\xff" * len(piece) + after,
        before + turned + after,
        before + content[other : other + len(piece)] + after,
        before + after,
        before,
        before + b"\xff\xd9",
        before + marker + piece + after,
    )
    return draw.choice(ways)


def missed(count: int, seed: int) -> Iterator[str]:
    """Yield a sentence about each damaged image that cannot be decoded and passes the look before a training."""
    draw, known = random.Random(seed), originals()
    for number in range(count):
        content = damaged(draw.choice(known), draw)
        if not content.startswith(b"\xff\xd8\xff") or examine([Encoded(content, "it")])[0].problem:
            continue
        try:
            rgb(content, f"image {number} of seed {seed}")
        except ValueError as error:
            yield str(error)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = [*missed(given.count, given.seed)]
    sys.stdout.write("\n".join([*found, f"{len(found)} of {given.count} were missed", ""]))
