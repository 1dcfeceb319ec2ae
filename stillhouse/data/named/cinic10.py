"""CINIC-10 (Darlow et al., 2018, arXiv:1810.03505): CIFAR-10's classes, from CIFAR-10 and ImageNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from .. import image_folder
from ..image_files import Files
from .facts import Named
from .fetch import Archive

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_MEAN, _STD = (0.47889522, 0.47227842, 0.43047404), (0.24205776, 0.23828046, 0.25874835)


def read(folder: Path) -> Files:
    """Read train/CLASS/*.png, valid/CLASS/*.png and test/CLASS/*.png, normalised as its authors do.

    The best epoch is chosen on `valid`, the result measured on `test`.
    """
    found = replace(image_folder.find(folder), called="cinic10", statistics=(_MEAN, _STD))
    if found.classes != _CLASSES:
        raise ValueError(f"{folder} has the classes {', '.join(found.classes)}, not CINIC-10's: unpack it again")
    return found


def _is_in(folder: Path) -> bool:
    splits = ("train", "valid", "test")
    return all((folder / split / name).is_dir() for split in splits for name in _CLASSES) and not any(
        (folder / split / "images").is_dir() for split in splits
    )


CINIC10 = Named(
    name="cinic10",
    title="CINIC-10 (Darlow et al., 2018)",
    images=(90_000, 90_000, 90_000),
    classes=10,
    pixels="32x32",
    licence="CC BY 4.0",
    page="https://datashare.ed.ac.uk/handle/10283/3192",
    read=read,
    is_in=_is_in,
    folder="CINIC-10",
    archives=(
        Archive(
            "CINIC-10.tar.gz",
            "https://datashare.ed.ac.uk/bitstream/handle/10283/3192/CINIC-10.tar.gz",
            "md5:6ee4d0c996905fe93221de577967a372",
            687_544_992,
        ),
    ),
    unpacked=720_000_000,
    files=270_100,
)
