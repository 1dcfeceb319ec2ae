"""The archives of ILSVRC 2012, read without unpacking: each image is a part of a tar file and stays there."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from ..decode import FilePart
from .listed import lines, whole
from .matlab import load_mat
from .unpack import read_safely

TRAIN, VALIDATION, KIT = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
KIT_FOLDER = KIT.removesuffix(".tar.gz")
WNID = re.compile(r"n\d{8}")
_META, _TRUTH = "data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt"
_LARGEST = 1 << 25  # bytes of a file of the development kit
_MOST = 2_000_000  # members of an archive


def training_images(path: Path) -> dict[str, list[FilePart]]:
    """Return the images of each class of ILSVRC2012_img_train.tar, which holds a tar for each class, by name."""
    found = dict[str, list[FilePart]]()
    with read_safely(path), path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in _files(archive, path):
            wnid = member.name.removesuffix(".tar")
            if not WNID.fullmatch(wnid) or wnid == member.name or wnid in found:
                raise ValueError(f"{member.name} is not a class of its own")
            inner = archive.extractfile(member)
            assert inner is not None
            found[wnid] = _parts(inner, path, member.offset_data, f"{member.name} of {path.name}")
    if len(found) < 2:
        raise ValueError(f"{path} holds {len(found)} classes: it is not the archive of the training images")
    return {wnid: found[wnid] for wnid in sorted(found)}


def validation_images(path: Path) -> list[FilePart]:
    """Return the images of ILSVRC2012_img_val.tar, by name."""
    with read_safely(path), path.open("rb") as file:
        return _parts(file, path, 0, path.name)


def _parts(file: IO[bytes], path: Path, start: int, where: str) -> list[FilePart]:
    """Return the members of a tar that begins at `start` of a file."""
    size = path.stat().st_size
    with tarfile.open(fileobj=file, mode="r:") as archive:
        parts = [
            FilePart(path, start + member.offset_data, member.size, f"{member.name} in {where}")
            for member in _files(archive, path)
        ]
    if any(part.offset + part.size > size for part in parts):
        raise EOFError(f"{where} ends too early")
    return sorted(parts, key=lambda part: part.name)


def _files(archive: tarfile.TarFile, path: Path) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(archive):
        if number > _MOST or not (member.isreg() or member.isdir()) or member.sparse is not None or member.size < 0:
            raise ValueError(f"{member.name} is a link, a device or one of too many")
        if member.isreg():
            yield member
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):  # tarfile takes half a header for the end
        raise EOFError("it ends too early")


def labels(root: Path) -> list[str]:
    """Return the WordNet number of each validation image, from the development kit in `root`, unpacked or not."""
    if (root / KIT_FOLDER).is_dir():
        meta, truth = root / KIT_FOLDER / _META, root / KIT_FOLDER / _TRUTH
        (synsets,) = load_mat(meta, "synsets")
        words = [line[0] for _, line in lines(truth)]
    else:
        content = _kit(root / KIT)
        meta, truth = root / KIT / _META, root / KIT / _TRUTH  # for messages
        (synsets,) = load_mat(meta, "synsets", content=content[_META])
        words = content[_TRUTH].decode(errors="replace").split()
    by_number = _wnids(synsets, meta)
    return [by_number[whole(word, truth, 1, len(by_number))] for word in words]


def _kit(path: Path) -> dict[str, bytes]:
    """Return the two files of the kit that are needed."""
    found = dict[str, bytes]()
    with read_safely(path), tarfile.open(path, "r:gz") as archive:
        for number, member in enumerate(archive):
            name = member.name.removeprefix("./").removeprefix(f"{KIT_FOLDER}/")
            if number > 10_000 or member.size > _LARGEST:
                raise ValueError(f"{member.name} is larger than it ever was, or one of too many")
            if name in (_META, _TRUTH) and member.isreg() and (file := archive.extractfile(member)) is not None:
                found[name] = file.read()
    for name in (_META, _TRUTH):
        if name not in found:
            raise ValueError(f"{path} holds no {name}: get it again")
    return found


def _wnids(synsets: np.ndarray, path: Path) -> dict[int, str]:
    """Return the WordNet numbers of the classes, which are those synsets that have no others below them."""
    try:
        rows = [
            (int(row["ILSVRC2012_ID"].item()), str(row["WNID"].item()), int(row["num_children"].item()))
            for row in synsets.ravel()
        ]
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no table of classes: get it again") from error
    found = {number: wnid for number, wnid, children in rows if children == 0}
    if sorted(found) != list(range(1, len(found) + 1)) or not all(map(WNID.fullmatch, found.values())):
        raise ValueError(f"{path} does not number the classes from 1 on: get it again")
    return found
