from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data.named.listed import lines, listed, table, whole


def test_blank_lines_are_passed_over_and_short_ones_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("1 a  b\n\n2 c\n")
    assert list(lines(path)) == [(1, ["1", "a", "b"]), (3, ["2", "c"])]
    with pytest.raises(ValueError, match=r"list.txt, line 3, holds 2 of 3 values"):
        list(table(path, 3))


def test_lists_that_are_missing_or_enormous_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list.txt is missing or not a file"):
        list(lines(tmp_path / "list.txt"))
    with (tmp_path / "list.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"list.txt has 1,099,511,627,776 bytes"):
        list(lines(tmp_path / "list.txt"))


@pytest.mark.parametrize("word", ["0", "4", "-1", "1.0", "x", "", "\u0663", "9" * 5000])
def test_numbers_out_of_range_are_refused(word: str) -> None:
    assert whole("3", Path("list.txt"), 1, 3) == 3
    with pytest.raises(ValueError, match=r"list.txt holds '.{0,40}' where a number from 1 to 3 belongs"):
        whole(word, Path("list.txt"), 1, 3)


def test_a_split_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list.txt name no test images"):
        listed("birds", tmp_path, tmp_path, ["a", "b"], "list.txt", train=[("1.jpg", 0)], test=[])


def test_a_validation_set_is_said(tmp_path: Path) -> None:
    parts = {"train": [("1.jpg", 0)], "validation": [("3.jpg", 1)], "test": [("2.jpg", 1)]}
    found = listed("birds", tmp_path, tmp_path, ["a", "b"], "list.txt", **parts)
    assert found.source == f"{tmp_path}; test set test, validation set validation, as list.txt say"
    assert (found.validation, found.validation_labels.tolist()) == ((tmp_path / "3.jpg",), [1])
