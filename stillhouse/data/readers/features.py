"""Columns of Arrow tables as Hugging Face's `datasets` writes them: images as {bytes, path}, classes as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .columns import IMAGES, LABELS, PATHS, asked_for, named

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Features:
    """The columns of a table that are read."""

    image: str
    label: str
    names: tuple[str, ...]  # of the classes, in the order of their numbers; empty if the file does not tell
    others: tuple[str, ...]  # columns that could be the labels as well

    @property
    def note(self) -> str:
        """A sentence about the choice of labels; empty where there was none."""
        others = ", ".join(self.others)
        return f"labels are those of the column {self.label}; also there: {others} (--label_column)" if others else ""


def features_of(
    schema: pa.Schema,
    where: str,
    image_column: str | None = None,
    label_column: str | None = None,
    info: Mapping[str, object] | None = None,
) -> Features:
    """Find images and labels among the columns.

    Args:
        where: The file, for messages.
        image_column: Named by the user; None to find it.
        label_column: The same.
        info: What is known of the features beside the file, as Hugging Face notes it; None to look into the schema.

    Raises:
        ValueError: If there are no such columns, or several.
    """
    noted = _noted(schema) if info is None else info
    kinds = {column: _kind(noted, column) for column in schema.names}
    columns = list(schema.names)
    image = asked_for(columns, image_column, "--image_column", where) if image_column else _image(schema, kinds, where)
    if label_column:
        label, others = asked_for(columns, label_column, "--label_column", where), []
    else:
        label, *others = _labels([column for column in columns if column != image], kinds, where)
    if label == "fine_label":  # CIFAR-100's, beside its coarse ones
        others = []
    return Features(image, label, _names(noted, label), tuple(others))


def _image(schema: pa.Schema, kinds: Mapping[str, str], where: str) -> str:
    import pyarrow as pa

    def holds_bytes(column: str) -> bool:
        kind = schema.field(column).type
        if pa.types.is_struct(kind):
            return bool(kind.get_field_index("bytes") >= 0)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    encoded = [column for column in schema.names if kinds[column] == "Image" or holds_bytes(column)]
    texts = [c for c in schema.names if pa.types.is_string(schema.field(c).type) and c not in encoded]
    found = named(encoded, IMAGES) or encoded or named(texts, PATHS)
    if len(found) == 1 or named(found, IMAGES) or named(found, PATHS):
        return found[0]
    if found:
        raise ValueError(f"{where} has several columns of images ({', '.join(found)}): name one with --image_column")
    arrays = named(schema.names, IMAGES)
    why = (
        f"{arrays[0]} holds {schema.field(arrays[0]).type}, not encoded images"
        if arrays
        else "none of them holds images"
    )
    raise ValueError(
        f"{where} has the columns {', '.join(schema.names)}, and {why}: save the data set with an image column (of "
        "bytes of image files, as Hugging Face's Image) and a label column"
    )


def _labels(columns: list[str], kinds: Mapping[str, str], where: str) -> list[str]:
    classes = [column for column in columns if kinds[column] == "ClassLabel"]
    found = named(classes, LABELS) or classes
    if len(found) > 1 and not named(found, LABELS):
        raise ValueError(f"{where} has several columns of classes ({', '.join(found)}): name one with --label_column")
    found = found or named(columns, LABELS)
    if not found:
        raise ValueError(
            f"{where} has the columns {', '.join(columns)} beside the images; one must hold the classes and be called "
            "label, or be named with --label_column"
        )
    return found


def _noted(schema: pa.Schema) -> Mapping[str, object]:
    """Return what the `datasets` library noted in the file about its features."""
    try:
        note = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = note["info"]["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def _kind(noted: Mapping[str, object], column: str) -> str:
    feature = noted.get(column)
    kind = feature.get("_type") if isinstance(feature, dict) else None
    return kind if isinstance(kind, str) else ""


def _names(noted: Mapping[str, object], column: str) -> tuple[str, ...]:
    feature = noted.get(column)
    names = feature.get("names") if isinstance(feature, dict) else None
    return tuple(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else ()
