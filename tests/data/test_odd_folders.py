"""Some of the odd folders; `python -m tests.data.odd_folders 400` reads many."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from stillhouse.data.folders import tree
from stillhouse.data.folders.classes import Labelled
from stillhouse.data.folders.tree import Found, Listing, Tree
from stillhouse.data.splits import SplitName, choose_held_out
from tests.data.odd_folders import judge

RIGHT = ("equal", "equal, and notes", "refused")


@pytest.mark.parametrize("seed", range(1000, 1025))
def test_an_odd_folder_is_read_as_torchvision_and_pillow_read_it_or_it_is_said_why_not(
    tmp_path: Path, seed: int
) -> None:
    outcome, odd = judge(seed, tmp_path)
    assert outcome in RIGHT, odd


def outcomes(place: Path, count: int = 6) -> list[str]:
    return [judge(seed, place / str(seed))[0] for seed in range(2000, 2000 + count)]


def test_an_image_that_is_left_out_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Tree.images

    def images(self: Tree, folder: str) -> list[Found]:
        return usual(self, folder)[1:]

    monkeypatch.setattr(Tree, "images", images)
    assert any("we left out" in outcome for outcome in outcomes(tmp_path))


def test_hidden_images_that_are_read_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tree._list

    def listing(path: str) -> Listing:
        listed = usual(path)
        listed.images += listed.hidden
        return listed

    monkeypatch.setattr(tree, "_list", listing)
    assert any("hidden image" in outcome for outcome in outcomes(tmp_path, 12))


def test_splits_that_change_places_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(found: Mapping[SplitName, Labelled]) -> tuple[Labelled | None, Labelled | None]:
        test, validation = choose_held_out(found)
        return (validation, test) if validation is not None else (test, None)

    monkeypatch.setattr("stillhouse.data.image_folder.choose_held_out", wrong)
    assert any("only we read" in outcome for outcome in outcomes(tmp_path))
