"""Columns are found by the names people give them."""

from __future__ import annotations

import pytest

from stillhouse.data.readers.columns import LABELS, PATHS, asked_for, named


def test_names_are_compared_by_their_letters() -> None:
    assert named(["Image Path", "Class-Name", "age"], PATHS) == ["Image Path"]
    assert named(["Image Path", "Class-Name", "age"], LABELS) == ["Class-Name"]
    assert named(["age"], LABELS) == []


def test_the_best_known_name_comes_first() -> None:
    assert named(["category", "label", "fine_label"], LABELS) == ["fine_label", "label", "category"]


def test_a_column_that_is_asked_for_must_be_there() -> None:
    assert asked_for(["a", "b"], "b", "--label_column", "t.csv") == "b"
    with pytest.raises(
        ValueError, match=r"^--label_column lable: t.csv has the columns id, label. Did you mean label\?$"
    ):
        asked_for(["id", "label"], "lable", "--label_column", "t.csv")
