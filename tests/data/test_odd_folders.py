"""Some of the odd folders; `python -m tests.data.odd_folders 400` reads many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch

from stillhouse.data import Arrays, LoadOptions, contents
from stillhouse.data.folders import classes, tree
from stillhouse.data.folders.classes import Labelled
from stillhouse.data.folders.tree import Found, Listing, Tree
from stillhouse.data.held_out import settle
from stillhouse.data.image_files import Files
from stillhouse.data.placement import place as place_images
from stillhouse.data.splits import SplitName, choose_held_out
from tests.data.odd_folders import judge

RIGHT = ("equal", "equal, and notes", "refused")


@pytest.mark.parametrize("seed", range(1000, 1025))
def test_an_odd_folder_is_read_as_torchvision_and_pillow_read_it_or_it_is_said_why_not(
    tmp_path: Path, seed: int
) -> None:
    outcome, odd = judge(seed, tmp_path)
    assert outcome in RIGHT, odd


def outcomes(place: Path, first: int = 2000) -> Iterator[str]:
    return (judge(seed, place / str(seed))[0] for seed in range(first, first + 20))


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
    assert any("hidden image" in outcome for outcome in outcomes(tmp_path, 2011))


def test_splits_that_change_places_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(found: Mapping[SplitName, Labelled]) -> tuple[Labelled | None, Labelled | None]:
        test, validation = choose_held_out(found)
        return (validation, test) if validation is not None else (test, None)

    monkeypatch.setattr("stillhouse.data.image_folder.choose_held_out", wrong)
    assert any("only we read" in outcome for outcome in outcomes(tmp_path, 2002))


def test_an_image_that_is_read_twice_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Tree.images

    def images(self: Tree, folder: str) -> list[Found]:
        return usual(self, folder) + usual(self, folder)[:1]

    monkeypatch.setattr(Tree, "images", images)
    assert any("is read 2 times" in outcome for outcome in outcomes(tmp_path))


def test_files_that_nobody_counts_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tree._list

    def listing(path: str) -> Listing:
        listed = usual(path)
        listed.others.clear()
        return listed

    monkeypatch.setattr(tree, "_list", listing)
    assert any("that cannot be read as images" in outcome for outcome in outcomes(tmp_path, 2012))


def test_test_images_that_are_trained_on_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(files: Files, options: LoadOptions) -> Files:
        settled = settle(files, options)
        labels = torch.cat([settled.train_labels[:1], settled.test_labels[1:]])
        contents = list(settled.contents)
        contents[-len(settled.test)] = contents[0]
        test = (*settled.train[:1], *settled.test[1:])
        return replace(settled, test=test, test_labels=labels, contents=tuple(contents))

    monkeypatch.setattr("stillhouse.data.settle", leaking)
    monkeypatch.setattr("tests.data.odd_folders.settle", leaking)
    assert any("is read 2 times" in outcome for outcome in outcomes(tmp_path))


def test_copies_of_training_images_that_are_measured_on_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count()
    monkeypatch.setattr(contents, "_digest", lambda content: hashlib.blake2b(b"%d" % next(numbers), digest_size=16))
    assert any("training images as well" in outcome for outcome in outcomes(tmp_path))


def test_labels_of_test_images_that_are_wrong_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(files: Files, options: LoadOptions) -> Files:
        settled = settle(files, options)
        return replace(settled, test_labels=settled.test_labels.roll(1))

    monkeypatch.setattr("stillhouse.data.settle", wrong)
    assert any(outcome.startswith("test: ") and " is {" in outcome for outcome in outcomes(tmp_path, 2002))


def test_pixels_of_test_images_that_are_wrong_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mirrored(files: Files, options: LoadOptions) -> Arrays | Files:
        placed = place_images(files, options)
        return replace(placed, test_images=placed.test_images.flip(2)) if isinstance(placed, Arrays) else placed

    monkeypatch.setattr("stillhouse.data.place", mirrored)
    assert any("test: the pixels of" in outcome for outcome in outcomes(tmp_path, 2001))


def test_images_that_are_not_turned_upright_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.data.decode.orientation_of", lambda exif: 1)
    assert any("the pixels of" in outcome for outcome in outcomes(tmp_path, 2002))


def test_classes_in_another_order_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(names: Sequence[str]) -> list[str]:
        return sorted(names, reverse=True)

    monkeypatch.setattr(classes, "sorted", backwards, raising=False)
    assert any("the classes are" in outcome for outcome in outcomes(tmp_path))
