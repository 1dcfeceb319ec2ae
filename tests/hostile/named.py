"""Published data sets in their original layout whose lists, arrays and archives are bombs, lies or lead elsewhere."""

from __future__ import annotations

import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.data.named.layouts import LAYOUTS, WNIDS, pack_imagenet
from tests.hostile.pickles import sparse
from tests.hostile.tables import lying_tar
from tests.hostile.trial import Case, Ground, Maker
from tests.hostile.watch import MARK

Change = Callable[[Path], object]


def _written(name: str, content: bytes | str) -> Change:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def _replaced(name: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def _put(name: str, put: Callable[[Path], object]) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        put(folder / name)

    return change


def _mat(name: str, **arrays: object) -> Change:
    return lambda folder: savemat(folder / name, arrays, do_compression=True)


def _class_of(content: bytes, name: str = "n00000001.tar") -> Change:
    """Return what adds a class to the archive of training images."""

    def change(folder: Path) -> None:
        with tarfile.open(folder / "ILSVRC2012_img_train.tar", "a") as archive:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))

    return change


CHANGES: dict[str, tuple[str, Change]] = {
    "a name that leads upwards": ("cub200", _replaced("images.txt", "1 001.", f"1 ../../{MARK}/001.")),
    "an absolute name": ("cub200", _replaced("images.txt", "1 001.", "1 /etc/passwd/001.")),
    "a list of a terabyte": ("cub200", _put("images.txt", sparse)),
    "a list that is a pipe": ("cub200", _put("classes.txt", os.mkfifo)),
    "a list that never ends": ("cub200", _put("images.txt", lambda path: path.symlink_to("/dev/zero"))),
    "a number of many digits": ("cub200", _replaced("image_class_labels.txt", "1 1\n", f"1 {'9' * 100_000}\n")),
    "brackets": ("food101", _written("meta/train.json", "[" * 1_000_000)),
    "a class called after a device": ("food101", _written("meta/train.json", '{"a": ["/dev/zero"], "b": []}')),
    "an array of 400 MB": ("svhn", _mat("test_32x32.mat", X=np.zeros((32, 32, 3, 130_000), np.uint8), y=[[1]])),
    "labels that are text": ("svhn", _mat("test_32x32.mat", X=np.zeros((32, 32, 3, 2), np.uint8), y="ab")),
    "labels that are objects": ("flowers102", _mat("imagelabels.mat", labels=np.array([{"a": 1}, [2]], dtype=object))),
    "splits that are NaN": ("flowers102", _mat("setid.mat", trnid=[np.nan], valid=[1.0], tstid=[2.0])),
    "half an array": ("flowers102", lambda f: (f / "setid.mat").write_bytes((f / "setid.mat").read_bytes()[:200])),
    "images of a terabyte": ("stl10", _put("train_X.bin", sparse)),
    "labels that are a pipe": ("stl10", _put("test_y.bin", os.mkfifo)),
    "breeds that lead upwards": ("pets", _replaced("annotations/test.txt", "Abyssinian_500 1", f"../{MARK}_500 9")),
    "a class that lies": ("imagenet", _class_of(lying_tar(b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7))),
    "a class of less than nothing": ("imagenet", _class_of(lying_tar(b"\xff" * 11 + b"\x00"))),
    "a class twice": ("imagenet", _class_of(b"", f"{WNIDS[0]}.tar")),
    "a class that leads upwards": ("imagenet", _class_of(b"", f"../../{MARK}.tar")),
    "a kit that is a bomb": ("imagenet", _written("ILSVRC2012_devkit_t12.tar.gz", b"\x1f\x8b" + bytes(100))),
    "a kit of something else": ("imagenet", _written("ILSVRC2012_devkit_t12.tar.gz", lying_tar(b"0" * 12))),
}


def _made(name: str, change: Change) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        LAYOUTS[name].write(folder := ground.place / "data")
        if name == "imagenet":
            pack_imagenet(folder, ground.place / "archives")
            folder = ground.place / "archives"
        change(folder)
        return Case(ground.train(folder))

    return make


KINDS: dict[str, Maker] = {f"named: {what}": _made(name, change) for what, (name, change) in CHANGES.items()}
