"""Labels of every kind become classes, or a sentence says why not."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from stillhouse.data.readers.labels import Label, Labels, classes_of, plain
from stillhouse.data.splits import SplitName


def classes(names: tuple[str, ...] = (), **splits: list[Label]) -> Labels:
    known: dict[str, SplitName] = {"train": "train", "test": "test", "validation": "validation"}
    return classes_of({known[split]: values for split, values in splits.items()}, names, "pets")


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (3, 3),
        (3.0, 3),
        (True, "True"),
        ("cat", "cat"),
        (" cat ", "cat"),
        (b"cat", "cat"),
        ("nan", "nan"),
        ("None", "None"),
        ("cafe\u0301", "caf\u00e9"),
        (None, None),
        ("", None),
        (math.nan, None),
        (-1, None),
    ],
)
def test_a_label_is_a_name_a_number_or_missing(value: object, label: Label) -> None:
    assert plain(value, (), "x") == label


def test_a_number_is_a_place_in_the_names_of_its_own_file() -> None:
    assert plain(1, ("cat", "dog"), "x") == "dog"
    assert plain(-1, ("cat", "dog"), "x") is None
    assert plain("bird", ("cat", "dog"), "x") == "bird"
    with pytest.raises(ValueError, match=r"^x holds the label 2, but the 2 class names are for 0 to 1$"):
        plain(2, ("cat", "dog"), "x")


@pytest.mark.parametrize(
    ("value", "said"),
    [([1, 2], r"2 values in one row \(several labels an image\?\)"), (0.5, "0.5"), (Decimal("0.5"), "Decimal")],
)
def test_what_is_no_class_is_refused(value: object, said: str) -> None:
    with pytest.raises(
        ValueError, match=f"^the column y of t.csv holds {said}.*; it must hold one class for each image"
    ):
        plain(value, (), "the column y of t.csv")


def test_names_are_sorted_unless_the_files_give_an_order() -> None:
    assert classes(train=["dog", "cat", "dog"], test=["cat"]) == Labels(
        ("cat", "dog"),
        {"train": [1, 0, 1], "test": [0]},
        ["test has no images of 1 of the 2 classes (dog): they are not measured"],
    )
    found = classes(("dog", "cat"), train=["dog", "cat"], test=["cat", "dog"])
    assert (found.classes, found.by_split) == (("dog", "cat"), {"train": [0, 1], "test": [1, 0]})
    assert found.notes == []


def test_numbers_from_zero_are_the_classes_and_absent_ones_are_said() -> None:
    found = classes(train=[0, 1, 3, 1], test=[0, 1])
    assert found.classes == ("0", "1", "2", "3")
    assert found.by_split == {"train": [0, 1, 3, 1], "test": [0, 1]}
    assert found.notes == [
        "train has no images of 1 of the 4 classes (2): no network can learn them",
        "test has no images of 2 of the 4 classes (2 and 3): they are not measured",
    ]


def test_numbers_from_one_are_named_and_moved() -> None:
    found = classes(train=[1, 2, 3], test=[3, 2, 1])
    assert (found.classes, found.by_split["test"]) == (("1", "2", "3"), [2, 1, 0])
    assert found.notes == ["labels begin at 1: the 3 classes are called 1, 2 and 3, and numbered from 0"]


def test_numbers_of_something_else_are_names_or_refused() -> None:
    found = classes(train=[0, 0, 50, 50], test=[50])
    assert (found.classes, found.by_split["train"]) == (("0", "50"), [0, 0, 1, 1])
    assert found.notes[0] == "labels leave out 49 numbers: the 2 classes are called 0 and 50, and numbered from 0"
    with pytest.raises(
        ValueError, match="pets holds 2 different labels, and numbers up to 1,000,000: they are not class numbers"
    ):
        classes(train=[0, 1_000_000] * 4)
    with pytest.raises(ValueError, match="holds 1,000 different labels for 1,000 images: they are not classes; name"):
        classes(train=list(range(1000)))
    with pytest.raises(ValueError, match="holds the label -2; class numbers begin at 0, and -1 stands for no label"):
        classes(train=[0, 1, -2])


def test_one_class_is_none() -> None:
    with pytest.raises(ValueError, match=r"^pets has one class \(cat\); at least two are needed$"):
        classes(train=["cat", "cat"])


def test_missing_labels_are_counted() -> None:
    found = classes(train=["a", None, "b", None], test=[None])
    assert found.by_split == {"train": [0, -1, 1, -1], "test": [-1]}
    assert found.notes == ["left out 2 train images of 4 without a label"]
    with pytest.raises(ValueError, match=r"^pets holds no labels: all are missing \(empty or -1\)$"):
        classes(train=[None], test=[None, None])


def test_classes_that_the_training_images_lack_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^pets: test has classes that train does not have \(bird and fish\): rename or rem"
    ):
        classes(train=["cat", "dog"], test=["cat", "bird", "fish"])
    with pytest.raises(ValueError, match=r"^pets: test has classes that train does not have \(bird\)"):
        classes(("cat", "dog"), train=["cat", "dog"], test=["bird"])


def test_numbers_beside_names_are_their_places_and_that_is_said() -> None:
    found = classes(("dog", "cat"), train=["dog", "cat"], test=[1, 0])
    assert found.by_split["test"] == [1, 0]
    assert found.notes == ["labels that are numbers are positions in the class names of the other files"]
    with pytest.raises(ValueError, match="holds the label 2, but the 2 class names are for 0 to 1"):
        classes(("dog", "cat"), train=["dog", "cat"], test=[2])


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="pets has two classes called 'dog'"):
        classes(("dog", "dog"), train=["dog"])
