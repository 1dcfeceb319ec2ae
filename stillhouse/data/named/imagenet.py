"""ImageNet, ILSVRC 2012 (Russakovsky et al., IJCV 2015): in class folders, as its archives, or as Kaggle has it."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from .. import image_folder
from ..decode import Source
from ..folders.inventory import some
from ..image_files import Files
from ..splits import name_keys
from .facts import Named
from .fetch import Archive
from .ilsvrc import KIT, KIT_FOLDER, TRAIN, VALIDATION, WNID, labels, training_images, validation_images

_CLASSES = 1000
_KAGGLE = Path("ILSVRC", "Data", "CLS-LOC")
_SOLUTION = "LOC_val_solution.csv"
_LARGEST = 1 << 26  # bytes of a table


def read(folder: Path) -> Files:
    """Read train/WNID/*.JPEG with val/WNID/*.JPEG, or with val/*.JPEG and the development kit, or the three archives.

    The classes are WordNet's numbers in their order, as in all that was trained on it. The test images have no labels,
    so the validation images are what is measured on.
    """
    folder = folder / _KAGGLE if (folder / _KAGGLE).is_dir() else folder
    if not (folder / "train").is_dir():
        return _in_archives(folder)
    held_out = sorted(os.listdir(folder / "val"))
    if any(map(WNID.fullmatch, held_out)):
        return replace(image_folder.find(folder), called="imagenet")
    train = image_folder.find(folder / "train")
    if train.is_split or not all(map(WNID.fullmatch, train.classes)):
        raise ValueError(f"{folder / 'train'} must hold a folder for each class, called as n01440764")
    names = [name for name in held_out if name.lower().endswith(".jpeg")]
    solution, told_by = _by_name(folder, names)
    images = [(folder / "val" / name, solution[name]) for name in names]
    return _whole(train, folder, f"{folder}; test set val, as {told_by} says", images)


def _in_archives(folder: Path) -> Files:
    by_class = training_images(folder / TRAIN)
    images = [(image, wnid) for wnid, parts in by_class.items() for image in parts]
    classes = tuple(by_class)
    label = {wnid: number for number, wnid in enumerate(classes)}
    nothing = torch.empty(0, dtype=torch.int64)
    train = Files(
        root=folder,
        source="",
        classes=classes,
        train=tuple(image for image, _ in images),
        train_labels=torch.tensor([label[wnid] for _, wnid in images]),
        train_keys=name_keys([f"{wnid}/{image.name.partition(' in ')[0]}" for image, wnid in images]),
        test=(),
        test_labels=nothing,
        validation=(),
        validation_labels=nothing,
    )
    held_out = validation_images(folder / VALIDATION)
    told = _of_kit(folder, len(held_out))
    source = f"{folder}; {TRAIN}, test set {VALIDATION}"
    return _whole(train, folder, source, list(zip(held_out, told, strict=True)))


def _whole(train: Files, root: Path, source: str, held_out: Sequence[tuple[Source, str]]) -> Files:
    """Return training images with validation images, which are sorted by class as in class folders."""
    label = {wnid: number for number, wnid in enumerate(train.classes)}
    unknown = sorted({wnid for _, wnid in held_out} - set(label))
    if unknown:
        raise ValueError(f"{root}: validation has classes that train does not have ({some(unknown)}): get them again")
    ordered = sorted(held_out, key=lambda one: (one[1], str(one[0])))
    return replace(
        train,
        root=root,
        called="imagenet",
        source=source,
        test=tuple(image for image, _ in ordered),
        test_labels=torch.tensor([label[wnid] for _, wnid in ordered], dtype=torch.int64),
        is_split=True,
    )


def _by_name(folder: Path, names: Sequence[str]) -> tuple[Mapping[str, str], str]:
    """Return the WordNet number of each validation image in one folder, and the name of the file that tells them."""
    if _is_of_kaggle(folder):
        told = _solution(folder.parents[2] / _SOLUTION)
        if missing := [name for name in names if name not in told]:
            raise ValueError(f"{folder.parents[2] / _SOLUTION} has no line for {some(missing)}: get it again")
        return told, _SOLUTION
    if not names:
        raise ValueError(f"{folder / 'val'} holds neither class folders nor images: unpack {VALIDATION} there")
    return dict(zip(names, _of_kit(folder, len(names)), strict=True)), KIT_FOLDER


def _of_kit(folder: Path, count: int) -> list[str]:
    """Return the WordNet number of each validation image in the order of their names."""
    if not (folder / KIT).is_file() and not (folder / KIT_FOLDER).is_dir():
        raise ValueError(f"{folder} lacks {KIT}, which tells the classes of the validation images: put it there")
    told = labels(folder)
    if len(told) != count:
        raise ValueError(f"{folder} holds {count:,} validation images, and {KIT} tells the classes of {len(told):,}")
    return told


def _solution(path: Path) -> dict[str, str]:
    """Return the class of each image in Kaggle's table: ImageId, and "n01751748 111 108 230 366 ..."."""
    if path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than it ever has: get it again")
    try:
        rows = list(csv.reader(path.read_text(errors="replace").splitlines()))[1:]
        return {f"{name}.JPEG": boxes.split()[0] for name, boxes in rows}
    except (csv.Error, ValueError, IndexError) as error:
        raise ValueError(f"{path} is damaged ({error}): get it again") from None


def _is_in(folder: Path) -> bool:
    if all((folder / name).is_file() for name in (TRAIN, VALIDATION, KIT)):
        return True
    folder = folder / _KAGGLE if (folder / _KAGGLE).is_dir() else folder
    if not (folder / "train").is_dir() or not (folder / "val").is_dir():
        return False
    classes = sum(1 for name in os.listdir(folder / "train") if WNID.fullmatch(name))
    is_told = (folder / KIT).is_file() or (folder / KIT_FOLDER).is_dir() or _is_of_kaggle(folder)
    return classes == _CLASSES or (classes > 0 and is_told)


def _is_of_kaggle(folder: Path) -> bool:
    return folder.parts[-3:] == _KAGGLE.parts and (folder.parents[2] / _SOLUTION).is_file()


IMAGENET = Named(
    name="imagenet",
    title="ImageNet, ILSVRC 2012 (Russakovsky et al., 2015)",
    images=(1_281_167, 0, 50_000),
    classes=_CLASSES,
    pixels="about 500",
    licence="non-commercial research and education, after a login",
    page="https://image-net.org/challenges/LSVRC/2012/2012-downloads.php",
    read=read,
    is_in=_is_in,
    folder="imagenet",
    archives=(
        Archive(TRAIN, "", "md5:1d675b47d978889d74fa0da5fadfb00e", 147_897_477_120, is_kept=True),
        Archive(VALIDATION, "", "md5:29b22e2961454d5413ddabcf34fc5622", 6_744_924_160, is_kept=True),
        Archive(KIT, "", "md5:fa75699e90414af021442c21a62c3abf", 2_568_145, is_kept=True),
    ),
    left_out="the 100,000 test images, which have no labels; boxes",
)
