from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from torchvision import datasets

from stillhouse.data import load
from tests.data.named.layouts import WNIDS, pack_imagenet, write_imagenet
from tests.helpers.archives import assert_same, photograph


def flat(folder: Path) -> None:
    """Move the validation images out of their class folders, as the archive has them."""
    for path in list((folder / "val").glob("*/*.JPEG")):
        path.rename(folder / "val" / path.name)
    for wnid in WNIDS:
        (folder / "val" / wnid).rmdir()


def kaggle(folder: Path, root: Path) -> None:
    """Turn class folders into the layout of Kaggle's archive."""
    rows = [
        f"{path.stem},{path.parent.name} 1 2 3 4 {path.parent.name} 5 6 7 8" for path in folder.glob("val/*/*.JPEG")
    ]
    flat(folder)
    (root / "ILSVRC" / "Data").mkdir(parents=True)
    folder.rename(root / "ILSVRC" / "Data" / "CLS-LOC")
    shutil.rmtree(root / "ILSVRC" / "Data" / "CLS-LOC" / "ILSVRC2012_devkit_t12")
    photograph(root / "ILSVRC" / "Data" / "CLS-LOC" / "test" / "ILSVRC2012_test_00000001.JPEG", 1)
    (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *reversed(rows)]))


def test_class_folders_flat_ones_kaggles_and_the_archives_are_one_data_set(tmp_path: Path) -> None:
    write_imagenet(folder := tmp_path / "folder")
    data = load(folder)
    assert (data.name, data.classes, len(data.train), len(data.test)) == ("imagenet", WNIDS, 12, 6)
    pack_imagenet(folder, tmp_path / "archives")
    archives = load(tmp_path / "archives")
    flat(folder)
    told = load(folder)
    kaggle_root = tmp_path / "kaggle"
    write_imagenet(tmp_path / "other")
    kaggle(tmp_path / "other", kaggle_root)
    for found in (archives, told, load(kaggle_root), load(kaggle_root / "ILSVRC" / "Data" / "CLS-LOC")):
        assert (found.fingerprint, found.name) == (data.fingerprint, "imagenet")
        assert found.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    held_out = [load(one, validation=0.3).source.partition(";")[2] for one in (folder, tmp_path / "archives")]
    assert all("30 % of each training class held out" in words for words in held_out)
    one, other = (load(place, validation=0.3) for place in (folder, tmp_path / "archives"))
    assert one.fingerprint == other.fingerprint


def test_torchvision_reads_the_same_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_imagenet(tmp_path / "folder")
    pack_imagenet(tmp_path / "folder", tmp_path / "archives")
    data = load(tmp_path / "archives")
    monkeypatch.setattr("torchvision.datasets.imagenet._verify_archive", lambda *args: None)
    for ours, split in ((data.train, "train"), (data.test, "val")):
        theirs = datasets.ImageNet(str(tmp_path / "archives"), split)
        assert_same(ours, theirs)
    assert list(data.classes) == theirs.wnids


def test_a_folder_of_other_numbers_of_classes_without_the_kit_is_an_ordinary_one(tmp_path: Path) -> None:
    write_imagenet(tmp_path)
    shutil.rmtree(tmp_path / "ILSVRC2012_devkit_t12")
    assert load(tmp_path).name == tmp_path.name


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ILSVRC2012_validation_ground_truth.txt", "3\n1", "1", r"6 validation images, and .* tells the classes of 5"),
        (
            "ILSVRC2012_validation_ground_truth.txt",
            "3\n",
            "4\n",
            r"ground_truth.txt holds '4' where a number from 1 to 3",
        ),
        ("meta.mat", "", "", r"meta.mat is damaged"),
    ],
)
def test_a_damaged_kit_is_refused(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    write_imagenet(tmp_path)
    flat(tmp_path)
    path = tmp_path / "ILSVRC2012_devkit_t12" / "data" / file
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1) if old else path.read_bytes()[:150])
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_classes_that_training_lacks_are_refused(tmp_path: Path) -> None:
    write_imagenet(tmp_path)
    flat(tmp_path)
    shutil.rmtree(tmp_path / "train" / WNIDS[1])
    with pytest.raises(ValueError, match=rf"validation has classes that train does not have \({WNIDS[1]}\)"):
        load(tmp_path)


def test_a_table_without_some_images_is_refused(tmp_path: Path) -> None:
    write_imagenet(tmp_path / "made")
    kaggle(tmp_path / "made", root := tmp_path / "kaggle")
    table = root / "LOC_val_solution.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]))
    with pytest.raises(ValueError, match=r"LOC_val_solution.csv has no line for ILSVRC2012_val_0000000\d.JPEG"):
        load(root)
    table.write_text("ImageId,PredictionString\nx\n")
    with pytest.raises(ValueError, match=r"LOC_val_solution.csv is damaged"):
        load(root)
