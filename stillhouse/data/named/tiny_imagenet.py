"""Tiny ImageNet (Stanford CS231n, 2015): 200 classes of ImageNet at 64x64 pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import image_folder
from ..image_files import Files
from .facts import Named, holds
from .fetch import Archive


def read(folder: Path) -> Files:
    """Read a folder tiny-imagenet-200: train/WNID/images/*.JPEG, and val/images/*.JPEG with val_annotations.txt.

    The classes are WordNet's numbers in their order, as in all that was trained on it. The test images have no labels,
    so the validation images are what is measured on.
    """
    return replace(image_folder.find(folder), called="tiny_imagenet")


TINY_IMAGENET = Named(
    name="tiny_imagenet",
    title="Tiny ImageNet (Stanford CS231n, 2015)",
    images=(100_000, 0, 10_000),
    classes=200,
    pixels="64x64",
    licence="ImageNet's: non-commercial research and education",
    page="http://cs231n.stanford.edu/",
    read=read,
    is_in=holds("wnids.txt", "train", "val/val_annotations.txt"),
    folder="tiny-imagenet-200",
    archives=(
        Archive(
            "tiny-imagenet-200.zip",
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            "md5:90528d7ca1a48142e341f4ef8d21d0de",
            248_100_043,
        ),
    ),
    unpacked=260_000_000,
    files=121_000,
    left_out="the 10,000 test images, which have no labels",
)
