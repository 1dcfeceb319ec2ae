"""Orders of classes are read from files and words, and found in what a network answers."""

import unicodedata
from pathlib import Path

import pytest
import torch

from stillhouse.training.teachers.class_order import (
    accuracy_in,
    best_order,
    order_of,
    plain,
    read_classes,
    usual_orders,
)

NUMBERED = ("1", "10", "2", "20", "3")


@pytest.mark.parametrize(
    ("word", "expected"), [("natural", ("1", "2", "3", "10", "20")), ("alphabetical", ("1", "10", "2", "20", "3"))]
)
def test_a_word_stands_for_an_order(word: str, expected: tuple[str, ...]) -> None:
    assert read_classes("--classes", word, NUMBERED) == expected


def test_a_file_names_a_class_a_line_and_may_name_more_than_the_data_have(tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text("dog\n cat \n\nbee\n")
    assert read_classes("--classes", str(path), ("cat", "dog")) == ("dog", "cat", "bee")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"dog\ndog\ncat\n", "names 'dog' more than once"),
        (b"dog\n", "does not name cat; it needs every class of the data"),
        (b"\xff\xfe\x00", "is not a text file in UTF-8"),
    ],
)
def test_files_that_give_no_order_are_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"--classes: .*classes.txt {sentence}"):
        read_classes("--classes", str(tmp_path / "classes.txt"), ("cat", "dog"))


def test_a_word_that_is_none_is_refused() -> None:
    with pytest.raises(
        ValueError, match="--classes takes natural, alphabetical or a file with one class name per line, no"
    ):
        read_classes("--classes", "reverse", ("cat",))


def test_names_are_equal_however_their_accents_were_typed() -> None:
    composed, decomposed = (unicodedata.normalize(form, "caf\u00e9") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert plain(composed) == plain(decomposed)
    assert order_of([decomposed, "tea"], ["tea", composed]) == [1, 0]


def test_usual_orders_are_those_that_differ_from_the_datas() -> None:
    assert usual_orders(("a", "b")) == {}
    assert usual_orders(NUMBERED) == {"natural": [0, 3, 1, 4, 2]}
    assert usual_orders(("1", "2", "10")) == {"alphabetical": [0, 2, 1]}


def test_the_accuracy_in_an_order_is_that_of_the_network_put_into_it() -> None:
    labels = torch.tensor([0, 1, 2, 2])
    predicted = torch.tensor([2, 0, 1, 0])  # its classes 2, 0, 1 are ours
    assert accuracy_in([2, 0, 1], predicted, labels) == 75.0
    assert accuracy_in([0, 1, 2], predicted, labels) == 0.0
    assert accuracy_in([5, 0, 1], torch.tensor([5, 0, 4, 1]), labels) == 75.0


def test_the_best_order_is_found() -> None:
    labels = torch.arange(300) % 3
    shifted = (labels + 1) % 3
    order, accuracy = best_order(torch.where(torch.arange(300) < 270, shifted, labels), labels, 3)
    assert order == [1, 2, 0]
    assert accuracy == 90.0
