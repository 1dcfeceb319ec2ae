from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from stillhouse.data import Data, LoadOptions, image_folder, load
from stillhouse.data.held_out import settle
from stillhouse.data.image_files import Files, look_into
from stillhouse.data.splits import held_out_by_name
from tests.helpers.pictures import picture, write_classes, write_folders


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_classes(tmp_path / "pets", ["a", "b"], 40)
    return tmp_path / "pets"


def settled(root: Path, options: LoadOptions | None = None) -> Files:
    options = options or LoadOptions()
    return settle(look_into(image_folder.find(root, options.test_only), options), options)


def test_names_decide_which_images_are_held_out(root: Path) -> None:
    everything = image_folder.find(root)
    assert not everything.is_split
    kept, held_out = held_out_by_name(everything.train_keys, everything.train_labels)
    files = settled(root)
    assert files.train == tuple(everything.train[i] for i in kept)
    assert files.test == tuple(everything.train[i] for i in held_out)
    assert files.test_labels.tolist() == everything.train_labels[held_out].tolist()
    assert files.train_keys.tolist() == everything.train_keys[kept].tolist()
    assert files.contents == look_into(files, LoadOptions()).contents
    assert files.source == f"{root}; about 20% of each class held out as the test set by their names"


def test_copies_of_training_images_are_training_images(root: Path) -> None:
    before = settled(root)
    for number, path in enumerate([*before.train[:10], *before.test[:3]]):
        assert isinstance(path, Path)
        for copy in range(5):
            shutil.copy(path, path.with_name(f"copy{number}-{copy}.png"))
    after = settled(root)
    n = len(after.train)
    trained, measured = ({content.digest for content in part} for part in (after.contents[:n], after.contents[n:]))
    assert not trained & measured
    was_trained = {content.digest for content in before.contents[: len(before.train)]}
    assert not was_trained & measured
    assert any("copies of training images are not held out but trained on" in note for note in after.notes)


def test_a_folder_of_copies_keeps_its_test_set(tmp_path: Path) -> None:
    write_folders(tmp_path, "a", "b", count=20)
    for path in tmp_path.rglob("*.png"):
        picture(0).save(path)
    assert len(settled(tmp_path).test) > 0


def measured(root: Path, trained_on: tuple[str, ...] | None) -> Data:
    return load(root, test_only=True, trained_on=trained_on)


def test_a_network_is_measured_on_all_images_of_a_folder_that_it_does_not_know(root: Path, tmp_path: Path) -> None:
    write_folders(tmp_path / "other", "a", "b", count=30)
    data = measured(tmp_path / "other", load(root).sample)
    assert len(data.test) == 60
    (note,) = data.notes
    assert note.startswith("all images are measured: none is byte for byte one that the network was trained on; ")
    assert data.source.endswith("; all images are measured")


def test_a_network_is_measured_on_images_held_out_of_the_folder_that_it_was_trained_on(root: Path) -> None:
    trained = load(root)
    data = measured(root, trained.sample)
    assert len(data.test) == len(trained.test)
    assert data.notes == (f"the network was trained on images of {root}: only those held out are measured",)
    moved = root.with_name("moved")
    os.rename(root, moved)
    write_folders(moved, "c", count=10)
    again = measured(moved, trained.sample)
    assert again.source.endswith("about 20% of each class held out as the test set by their names")


def test_images_that_were_all_trained_on_are_not_said_to_be_held_out(tmp_path: Path) -> None:
    write_folders(tmp_path / "pets", "train/a", "train/b", count=40)
    write_folders(tmp_path / "pets", "val/a", "val/b", count=12)
    trained = load(tmp_path / "pets")
    data = measured(tmp_path / "pets" / "train", trained.sample)
    assert len(data.test) == 80
    (note,) = data.notes
    assert "the accuracy is mostly that on training images" in note
    assert "held out as the test set" not in data.source


def test_it_is_said_where_it_is_not_known_which_images_a_network_was_trained_on(root: Path) -> None:
    data = measured(root, None)
    assert len(data.test) == 80
    assert "it is not known which images the network was trained on" in data.notes[0]


def test_training_images_in_a_test_set_are_said(root: Path, tmp_path: Path) -> None:
    known = load(root)
    for split, count in (("train", 5), ("val", 12)):
        write_classes(tmp_path / "other" / split, ["a", "b"], count)
    data = load(tmp_path / "other", trained_on=known.sample)
    assert any("of the images that the network was trained on are among the test images" in note for note in data.notes)


def test_a_part_of_the_training_images_in_a_folder_without_splits_is_said_and_not_denied(
    root: Path, tmp_path: Path
) -> None:
    known = load(root)
    other = write_folders(tmp_path / "other", "a", "b", count=30)
    for path in settled(root).train[:10]:
        assert isinstance(path, Path)
        shutil.copy(path, other / "a" / f"copy{path.name}")
    (note,) = measured(other, known.sample).notes
    assert "of the images that the network was trained on are among the test images" in note


def test_one_image_a_class_can_be_measured_but_not_split(tmp_path: Path) -> None:
    write_folders(tmp_path, "a", "b", count=1)
    assert len(measured(tmp_path, ()).test) == 2
    with pytest.raises(ValueError, match="holds one image of each class: at least two are needed"):
        load(tmp_path)


def test_classes_of_which_nothing_can_be_held_out_are_said(tmp_path: Path) -> None:
    root = write_folders(tmp_path, "cat", "dog", count=6)
    data = load(write_folders(root, "emu", count=1))
    assert data.notes == ("test has no images of 1 of the 3 classes (emu): they cannot be measured",)
