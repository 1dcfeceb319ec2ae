"""Columns of a table: which one holds images, labels or splits, by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...spelling import nearest

IMAGES = ("image", "img", "images", "picture", "photo", "pixel_values", "jpg", "jpeg", "png", "webp")
PATHS = (
    *("file_name", "filename", "file", "path", "filepath", "image_path", "img_path", "image_file", "image_name"),
    *("image_filename", "img_name", "image_id", "img_id", "id_code", "image", "img", "images", "name", "id"),
)
LABELS = (
    *("fine_label", "label", "labels", "class", "classes", "class_name", "class_id", "class_label", "label_name"),
    *("category", "category_name", "target", "targets", "species", "breed", "y"),
)
SPLITS = ("split", "subset", "partition", "set", "data_set")


def plain(name: str) -> str:
    """Return the letters of a column's name, as they are compared."""
    return re.sub(r"[\W_]+", "", name.casefold())


def named(columns: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the columns that are called so, in the order of `wanted`."""
    by_letters = {plain(column): column for column in reversed(columns)}
    return list(dict.fromkeys(by_letters[plain(name)] for name in wanted if plain(name) in by_letters))


def asked_for(columns: Sequence[str], name: str, option: str, where: str) -> str:
    """Return a column that the user named.

    Raises:
        ValueError: If there is none.
    """
    if name not in columns:
        raise ValueError(f"{option} {name}: {where} has the columns {', '.join(columns)}.{nearest(name, columns)}")
    return name
