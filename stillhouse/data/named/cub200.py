"""CUB-200-2011 (Wah et al., Caltech CNS-TR-2011-001): photographs of 200 kinds of birds."""

from __future__ import annotations

from pathlib import Path

from ..image_files import Files
from .facts import Named, holds
from .fetch import Archive
from .listed import listed, table, whole


def read(folder: Path) -> Files:
    """Read a folder CUB_200_2011.

    `images.txt` numbers the images, `train_test_split.txt` says which of them are for training (1) and which for
    testing (0), and `image_class_labels.txt` numbers the class of each from 1 on, in the order of `classes.txt`.
    """
    classes = [words[1] for words in table(folder / "classes.txt", 2)]
    path = folder / "image_class_labels.txt"
    labels = {words[0]: whole(words[1], path, 1, len(classes)) - 1 for words in table(path, 2)}
    path = folder / "train_test_split.txt"
    is_train = {words[0]: whole(words[1], path, 0, 1) == 1 for words in table(path, 2)}
    train, test = list[tuple[str, int]](), list[tuple[str, int]]()
    for number, name in (words[:2] for words in table(folder / "images.txt", 2)):
        if number not in labels or number not in is_train:
            raise ValueError(f"{folder}: image {number} has no class or no split: unpack the archive again")
        (train if is_train[number] else test).append((name, labels[number]))
    lists = "images.txt and train_test_split.txt"
    return listed("cub200", folder, folder / "images", classes, lists, train=train, test=test)


CUB200 = Named(
    name="cub200",
    title="CUB-200-2011 (Wah et al., 2011)",
    images=(5994, 0, 5794),
    classes=200,
    pixels="about 500",
    licence="non-commercial research and education; the photographs are their owners'",
    page="https://www.vision.caltech.edu/datasets/cub_200_2011/",
    read=read,
    is_in=holds("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt", "images"),
    folder="CUB_200_2011",
    archives=(
        Archive(
            "CUB_200_2011.tgz",
            "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            "md5:97eceeb196236b17998738112f37df78",
            1_150_585_339,
        ),
    ),
    unpacked=1_250_000_000,
    files=12_100,
    left_out="boxes, parts and attributes",
)
