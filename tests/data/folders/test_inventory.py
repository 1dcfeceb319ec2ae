from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from stillhouse.data.folders.inventory import by_suffix, contents, listing_of, other_forms, some
from stillhouse.data.folders.tree import Tree
from tests.helpers.pictures import write_folders


@pytest.mark.parametrize(
    ("names", "words"),
    [("", ""), ("a", "a"), ("ab", "a and b"), ("abcd", "a, b, c and d"), ("abcdef", "a, b, c, d and 2 more")],
)
def test_some_names_are_listed_as_people_do(names: str, words: str) -> None:
    assert some(list(names)) == words


def test_files_are_counted_by_suffix_the_most_first() -> None:
    assert by_suffix(Counter({".txt": 2, "": 1, ".xml": 1200})) == "1,200 .xml, 2 .txt and 1 without a suffix"


def test_few_files_are_named_and_many_counted() -> None:
    assert listing_of(Counter({".txt": 2}), ["a.txt", "b.txt"]) == "a.txt and b.txt"
    assert listing_of(Counter({".txt": 20}), ["a.txt", "b.txt"]) == "files (20 .txt)"


def test_contents_are_images_folders_and_files(tmp_path: Path) -> None:
    write_folders(tmp_path, ".", "docs", "data/cat")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "x.py").write_text("")
    (tmp_path / "labels.csv").write_text("")
    assert contents(Tree(), str(tmp_path)) == (
        "2 images, the folders data (2 images in cat), docs (2 images) and src (no images, 1 .py) and labels.csv"
    )
    (tmp_path / "empty").mkdir()
    assert contents(Tree(), str(tmp_path / "empty")) == "nothing"


def test_other_forms_are_found_here_and_one_folder_below(tmp_path: Path) -> None:
    write_folders(tmp_path, "a")
    for name in ("x.zip", "a/y.parquet", "a/z.txt"):
        (tmp_path / name).write_text("")
    assert other_forms(Tree(), str(tmp_path)) == ["parquet files", "zip archives"]
