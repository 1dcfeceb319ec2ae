"""Which columns of an Arrow table are read, and the class names that the file notes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa
import pytest

from stillhouse.data.readers.features import Features, features_of

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def schema(note: Mapping[str, object] | None = None, **columns: pa.DataType) -> pa.Schema:
    fields = pa.schema(list(columns.items()))
    return fields.with_metadata({"huggingface": json.dumps({"info": {"features": note}})}) if note else fields


def label(*names: str) -> dict[str, object]:
    return {"_type": "ClassLabel", "names": list(names)}


@pytest.mark.parametrize("image", ["image", "img", "pixel_values", "scan"])
@pytest.mark.parametrize("column", ["label", "labels", "fine_label", "Class", "target"])
def test_images_and_labels_go_by_many_names(image: str, column: str) -> None:
    columns = {"id": pa.int64(), image: IMAGE, "remark": pa.string(), column: pa.int64()}
    assert features_of(schema(**columns), "t") == Features(image, column, (), ())


def test_a_column_of_class_names_is_the_label_whatever_it_is_called() -> None:
    note = {"breed_of_dog": label("pug", "collie")}
    found = features_of(schema(note, image=IMAGE, age=pa.int64(), breed_of_dog=pa.int64()), "t")
    assert found == Features("image", "breed_of_dog", ("pug", "collie"), ())


def test_of_several_labels_the_best_known_is_taken_and_that_is_said() -> None:
    found = features_of(schema(image=IMAGE, category=pa.string(), label=pa.int64()), "t")
    assert (found.label, found.note) == (
        "label",
        "labels are those of the column label; also there: category (--label_column)",
    )
    assert (
        features_of(schema(image=IMAGE, category=pa.string(), label=pa.int64()), "t", None, "category").label
        == "category"
    )
    note = {"fine_label": label("a", "b"), "coarse_label": label("c", "d")}
    assert features_of(schema(note, img=IMAGE, fine_label=pa.int64(), coarse_label=pa.int64()), "t").note == ""
    note = {"colour": label("a", "b"), "shape": label("c", "d")}
    with pytest.raises(
        ValueError, match=r"^t has several columns of classes \(colour, shape\): name one with --label_col"
    ):
        features_of(schema(note, image=IMAGE, colour=pa.int64(), shape=pa.int64()), "t")


def test_names_beside_the_file_win(tmp_path: object) -> None:
    info = {"label": label("x", "y")}
    assert features_of(schema(image=IMAGE, label=pa.int64()), "t", None, None, info).names == ("x", "y")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": pa.string(), "label": pa.int64()}, "columns text, label, and none of them holds images: save the"),
        ({"image": pa.list_(pa.uint8()), "label": pa.int64()}, r"and image holds list<.*>, not encoded images: save"),
        ({"image": IMAGE, "age": pa.int64()}, "the columns age beside the images; one must hold the classes"),
        ({"left": IMAGE, "right": IMAGE, "label": pa.int64()}, r"several columns of images \(left, right\): name one"),
    ],
)
def test_what_is_lacking_is_said_with_what_is_there(columns: dict[str, pa.DataType], said: str) -> None:
    with pytest.raises(ValueError, match=f"^t has .*{said}"):
        features_of(schema(**columns), "t")


@pytest.mark.parametrize(
    "metadata", [b"no json", b"[]", b'{"info": {"features": [1]}}', b'{"info": {"features": {"label": 3}}}']
)
def test_notes_of_others_are_no_class_names(metadata: bytes) -> None:
    fields = pa.schema([("image", IMAGE), ("label", pa.int64())]).with_metadata({"huggingface": metadata})
    assert features_of(fields, "t").names == ()


def test_a_note_of_endless_brackets_is_passed_over() -> None:
    fields = schema(image=IMAGE, label=pa.int64()).with_metadata({"huggingface": "[" * 1_000_000})
    assert features_of(fields, "t") == Features("image", "label", (), ())
