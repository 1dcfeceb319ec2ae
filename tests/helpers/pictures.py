"""Tiny image files: noise that depends on a number, so that no two are alike."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

CLASSES = ("ant", "bee", "cat")


def picture(number: int, width: int = 8, height: int | None = None) -> Image.Image:
    pixels = np.random.default_rng(number).integers(0, 256, (height or width, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file of that format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def write_classes(
    root: Path, classes: Sequence[str], per_class: int, width: int = 8, height: int | None = None
) -> None:
    """Write root/CLASS/0.png, ..."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(per_class):
            picture(1000 * label + number, width, height).save(root / name / f"{number}.png")


def write_folders(root: Path, *folders: str, count: int = 2, suffix: str = ".png") -> Path:
    """Write 0.png, 1.png, ... into each folder below root, no two images alike, and return root."""
    first = sum(1 for _ in root.rglob("*")) if root.is_dir() else 0
    for place, name in enumerate(folders):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(10_000 * (first + 1) + 100 * place + number).save(root / name / f"{number}{suffix}")
    return root


def write_parquet(
    path: Path,
    images: Sequence[bytes | None],
    labels: Sequence[int | None],
    note: str = "",
    label_column: str = "label",
) -> None:
    """Write images as the `datasets` library does: {bytes, path} and a number; `note` is its JSON of features."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"bytes": image, "path": f"{number}.png"} for number, image in enumerate(images)]
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(rows, image_type), label_column: pa.array(labels, pa.int64())})
    pq.write_table(table.replace_schema_metadata({"huggingface": note} if note else None), path, row_group_size=3)


def write_pictures(root: Path, classes: tuple[str, ...] = CLASSES, train: int = 16, size: int = 16) -> Path:
    """Write train/CLASS/0.png and val/CLASS/0.png, each class with a colour of its own, and return the folder."""
    noise = np.random.default_rng(0)
    for split, count in (("train", train), ("val", train // 2)):
        for label, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = noise.integers(0, 60, (size, size, 3), dtype=np.uint8)
                pixels[..., label % 3] += 120
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root
