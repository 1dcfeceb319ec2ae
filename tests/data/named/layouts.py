"""Every named data set in its original layout, made small: a few images of a few classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.helpers.archives import photograph, tar, zipped


@dataclass(frozen=True)
class Layout:
    """A small copy of a data set.

    Args:
        write: Writes the unpacked data set into a folder, which it makes.
        pack: Packs that folder as its authors do, and returns the files.
    """

    write: Callable[[Path], object]
    pack: Callable[[Path, Path], Sequence[Path]]


def one_tar(name: str, *beside: str) -> Callable[[Path, Path], Sequence[Path]]:
    """Return a function that packs a folder, and what lies beside it, as one archive."""

    def pack(folder: Path, store: Path) -> Sequence[Path]:
        store.mkdir(parents=True, exist_ok=True)
        tar(folder.parent, store / name, folder.name, *beside)
        return [store / name]

    return pack


def write_cub(folder: Path, per_class: int = 4) -> None:
    """Two of three images of each class are for training, and the images are not in the order of their classes."""
    classes = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("".join(f"{n} {name}\n" for n, name in enumerate(classes, 1)))
    lists = dict[str, list[str]](images=[], labels=[], split=[])
    for number in range(per_class * len(classes)):
        label = number % len(classes)
        name = f"{classes[label]}/Bird_{number:04d}.jpg"
        photograph(folder / "images" / name, number, colour=label)
        lists["images"].append(f"{number + 1} {name}\n")
        lists["labels"].append(f"{number + 1} {label + 1}\n")
        lists["split"].append(f"{number + 1} {int(number // len(classes) % 3 < 2)}\n")
    (folder / "images.txt").write_text("".join(lists["images"]))
    (folder / "image_class_labels.txt").write_text("".join(lists["labels"]))
    (folder / "train_test_split.txt").write_text("".join(lists["split"]))


CINIC_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WNIDS = ("n01443537", "n01629819", "n02123045")


def write_cinic(folder: Path) -> None:
    for number, split in enumerate(("train", "valid", "test")):
        for label, name in enumerate(CINIC_CLASSES):
            for one in range(2):
                place = folder / split / name / f"n0000000{label}_{number}{one}.png"
                photograph(place, 100 * number + 10 * label + one, 32, 32, colour=label)
    (folder / "README").write_text("CINIC-10\n")


def pack_cinic(folder: Path, store: Path) -> Sequence[Path]:
    store.mkdir(parents=True, exist_ok=True)
    tar(folder, store / "CINIC-10.tar.gz")  # without a folder around it
    return [store / "CINIC-10.tar.gz"]


def write_svhn(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 24), ("test", 11)):
        noise = np.random.default_rng(count).integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8)[:, None] % 10 + 1  # 10 stands for the digit 0
        savemat(folder / f"{split}_32x32.mat", {"X": noise, "y": labels}, do_compression=True)


def pack_files(folder: Path, store: Path) -> Sequence[Path]:
    shutil.copytree(folder, store, dirs_exist_ok=True)
    return sorted(store.iterdir())


def write_stl(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ["airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck"]
    (folder / "class_names.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "fold_indices.txt").write_text("0 1\n")
    for split, count in (("train", 20), ("test", 10), ("unlabeled", 3)):
        noise = np.random.default_rng(count).integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
        noise.tofile(folder / f"{split}_X.bin")
        if split != "unlabeled":
            (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(folder / f"{split}_y.bin")


def write_tiny(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in reversed(WNIDS)))  # in no order
    (folder / "words.txt").write_text("n00001740\tentity\n" + "".join(f"{wnid}\tname, of it\n" for wnid in WNIDS))
    annotations = list[str]()
    for label, wnid in enumerate(WNIDS):
        for number in range(4):
            photograph(folder / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", 10 * label + number, 64, 64, label)
        (folder / "train" / wnid / f"{wnid}_boxes.txt").write_text(f"{wnid}_0.JPEG\t0\t0\t63\t63\n")
    for number in range(6):
        photograph(folder / "val" / "images" / f"val_{number}.JPEG", 100 + number, 64, 64, number)
        annotations.append(f"val_{number}.JPEG\t{WNIDS[number % 3]}\t0\t0\t62\t62\n")
        photograph(folder / "test" / "images" / f"test_{number}.JPEG", 200 + number, 64, 64)
    (folder / "val" / "val_annotations.txt").write_text("".join(annotations))


def pack_tiny(folder: Path, store: Path) -> Sequence[Path]:
    store.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, around := store / "around" / folder.name)
    zipped(around.parent, store / "tiny-imagenet-200.zip")
    shutil.rmtree(around.parent)
    return [store / "tiny-imagenet-200.zip"]


def write_food(folder: Path) -> None:
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    classes = ("waffles", "apple_pie", "tacos")  # in no order
    lists = {
        split: {name: [f"{name}/{10 * k + n}" for n in numbers] for k, name in enumerate(classes)}
        for split, numbers in (("train", range(4)), ("test", range(4, 6)))
    }
    for split, by_class in lists.items():
        (folder / "meta" / f"{split}.json").write_text(json.dumps(by_class))
        for label, images in enumerate(by_class.values()):
            for image in images:
                photograph(folder / "images" / f"{image}.jpg", int(image.rpartition("/")[2]), colour=label)


def write_flowers(folder: Path) -> None:
    """Nine images of classes 1, 2 and 102."""
    (folder / "jpg").mkdir(parents=True, exist_ok=True)
    labels = [1, 102, 2, 2, 102, 1, 1, 102, 2]
    for number, label in enumerate(labels, 1):
        photograph(folder / "jpg" / f"image_{number:05d}.jpg", number, colour=label)
    savemat(folder / "imagelabels.mat", {"labels": np.array([labels], dtype=np.uint8)})
    splits = {"trnid": [9, 2, 1, 6, 4], "valid": [3, 5], "tstid": [7, 8]}
    savemat(folder / "setid.mat", {name: np.array([ids], dtype=np.uint16) for name, ids in splits.items()})


def pack_flowers(folder: Path, store: Path) -> Sequence[Path]:
    store.mkdir(parents=True, exist_ok=True)
    tar(folder, store / "102flowers.tgz", "jpg")
    for name in ("imagelabels.mat", "setid.mat"):
        shutil.copy(folder / name, store / name)
    return sorted(store.iterdir())


def write_pets(folder: Path) -> None:
    breeds = ("Abyssinian", "american_bulldog", "yorkshire_terrier")
    (folder / "annotations" / "trimaps").mkdir(parents=True, exist_ok=True)
    for name, numbers in (("trainval.txt", range(1, 5)), ("test.txt", range(5, 7))):
        rows = [(f"{breed}_{100 * n}", label) for n in numbers for label, breed in enumerate(breeds, 1)]
        text = "".join(f"{image} {label} {1 + (label > 1)} {label}\n" for image, label in rows)
        (folder / "annotations" / name).write_text(text)
        for image, label in rows:
            photograph(folder / "images" / f"{image}.jpg", int(image.rpartition("_")[2]) + label, colour=label)


def pack_pets(folder: Path, store: Path) -> Sequence[Path]:
    store.mkdir(parents=True, exist_ok=True)
    for name in ("images", "annotations"):
        tar(folder, store / f"{name}.tar.gz", name)
    return sorted(store.iterdir())


def write_imagenet(folder: Path, count: int = 4) -> None:
    """Class folders, and the development kit that belongs to them, whose numbers are not in the order of the names."""
    for label, wnid in enumerate(WNIDS):
        for number in range(count):
            photograph(folder / "train" / wnid / f"{wnid}_{number}.JPEG", 10 * label + number, colour=label)
    truth = [3, 1, 2, 2, 1, 3]  # of ILSVRC2012_val_00000001.JPEG, ...
    for number, one in enumerate(truth, 1):
        place = folder / "val" / kit_wnid(one) / f"ILSVRC2012_val_{number:08d}.JPEG"
        photograph(place, 100 + number, colour=WNIDS.index(kit_wnid(one)))
    write_kit(folder / "ILSVRC2012_devkit_t12", truth)


def kit_wnid(number: int) -> str:
    return {1: WNIDS[1], 2: WNIDS[2], 3: WNIDS[0]}[number]


def write_kit(folder: Path, truth: Sequence[int]) -> None:
    (folder / "data").mkdir(parents=True)
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    kind += [("children", "O"), ("wordnet_height", "O"), ("num_train_images", "O")]
    rows = [(n, kit_wnid(n), "goldfish, Carassius auratus", "a fish", 0, np.zeros(0), 0, 4) for n in (1, 2, 3)]
    rows.append((4, "n00001740", "entity", "all", 3, np.array([1, 2, 3]), 2, 0))
    savemat(folder / "data" / "meta.mat", {"synsets": np.array(rows, dtype=kind)[:, None]})
    (folder / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{n}\n" for n in truth))


def pack_imagenet(folder: Path, store: Path) -> Sequence[Path]:
    (inner := store / "inner").mkdir(parents=True, exist_ok=True)
    for wnid in WNIDS:
        tar(folder / "train" / wnid, inner / f"{wnid}.tar")
    tar(inner, store / "ILSVRC2012_img_train.tar", *(f"{wnid}.tar" for wnid in reversed(WNIDS)))
    shutil.rmtree(inner)
    inner.mkdir()
    for path in (folder / "val").glob("*/*.JPEG"):
        shutil.copy(path, inner / path.name)
    tar(inner, store / "ILSVRC2012_img_val.tar")
    shutil.rmtree(inner)
    tar(folder, store / "ILSVRC2012_devkit_t12.tar.gz", "ILSVRC2012_devkit_t12")
    return sorted(store.iterdir())


LAYOUTS: dict[str, Layout] = {
    "cub200": Layout(write_cub, one_tar("CUB_200_2011.tgz")),
    "cinic10": Layout(write_cinic, pack_cinic),
    "svhn": Layout(write_svhn, pack_files),
    "stl10": Layout(write_stl, one_tar("stl10_binary.tar.gz")),
    "tiny_imagenet": Layout(write_tiny, pack_tiny),
    "food101": Layout(write_food, one_tar("food-101.tar.gz")),
    "flowers102": Layout(write_flowers, pack_flowers),
    "pets": Layout(write_pets, pack_pets),
    "imagenet": Layout(write_imagenet, pack_imagenet),
}
