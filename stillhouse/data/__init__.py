"""Data sets: `load` takes a name or a folder and returns a `Data`."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import cifar, image_folder, own, parquet
from .arrays import Arrays as Arrays, from_arrays as from_arrays
from .cifar import cifar10 as cifar10, cifar100 as cifar100
from .dataset import Data as Data, Split as Split, digest_classes
from .decoded_cache import keep
from .digits import digits as digits
from .fashion_mnist import fashion_mnist as fashion_mnist
from .image_files import Files, decoded, look_into, small_size
from .in_memory import InMemory as InMemory
from .on_disk import Folder as Folder
from .options import DEFAULTS, LoadOptions as LoadOptions
from .pixels.square import Resize as Resize

DATASETS: dict[str, Callable[[Path], Arrays]] = {
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}


def load(data: str | Path, options: LoadOptions = DEFAULTS, **changes: Any) -> Data:
    """Load the data set called `data`, the one in the folder `data`, or what your own function `data` returns.

    A folder may hold CIFAR's Python archives, Hugging Face parquet files (train-*.parquet, test-*.parquet) or images in
    class folders (train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg: then 20 % of each class are held out as the
    test set). Square images of one size up to 64 pixels are held in memory, others are read from disk batch by batch.

    Args:
        data: A name in `DATASETS`, a path, or `file.py:function` or `package.module:function` (see `own.load`). A name
            wins over a folder of that name; write ./digits for the folder.
        options: All there is to choose; single ones can be given as keywords, `load("cifar100", batch_size=128)`.

    Raises:
        ValueError: If there is no such data set, or it cannot be read; the sentence says why.
    """
    options = options.but(**changes)
    if own.is_own(str(data)):
        return own.load(str(data), options)
    download_to = at_home(Path(options.download_to))
    if str(data) in DATASETS:
        return from_arrays(DATASETS[str(data)](download_to), options)
    source = _in_folder(str(data), download_to, options)
    return image_folder.from_files(source, options) if isinstance(source, Files) else _named(source, options)


def at_home(folder: Path) -> Path:
    """Return the place of ~/...; one among temporary files for a user who has no home, as in some containers."""
    try:
        return folder.expanduser()
    except RuntimeError:
        own = Path(tempfile.gettempdir()) / f"stillhouse-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        return own if own.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp())


def _in_folder(data: str, download_to: Path, options: LoadOptions) -> Arrays | Files:
    """Return the images in memory if they are small, otherwise where they are."""
    folder = Path(data).expanduser()
    if not folder.exists():
        raise ValueError(_unknown(data))
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; pass the folder that holds the data set (archives must be unpacked).")
    folder = folder.resolve()
    archive = cifar.find(folder)
    if archive is not None:
        return cifar.read(*archive)
    shelf = download_to / "decoded"
    tables = parquet.find(folder)
    if tables is not None:
        asked = f"{folder} {options.decoding.key()}"
        files_read = sorted(tables.glob("*.parquet"))
        return keep(shelf, asked, files_read, lambda: parquet.read(tables, folder.name, options.decoding))
    known = download_to / "contents" / hashlib.blake2b(os.fsencode(folder), digest_size=8).hexdigest()
    files = look_into(image_folder.find(folder, options.test_only), options, known)

    def small() -> Arrays | Files:
        size = small_size(files)
        return files if size is None or options.image_size not in (None, size) else decoded(files, size, options)

    asked = f"{folder} {options.image_size} {options.test_only} {options.skip_broken} {options.decoding.key()}"
    source = keep(shelf, asked, files.paths, small)
    if isinstance(source, Files):
        return source
    return dataclasses.replace(source, notes=(*files.notes, *source.notes), skipped=files.skipped + source.skipped)


def _named(arrays: Arrays, options: LoadOptions) -> Data:
    """Return decoded images of a folder; unlike those of a data set with a name, its classes can be renamed."""
    data = from_arrays(arrays, options)
    names = hashlib.blake2b(digest_classes(data.classes) + data.fingerprint.encode(), digest_size=16)
    return dataclasses.replace(data, fingerprint=names.hexdigest())


def _unknown(data: str) -> str:
    if os.sep in data or data.startswith(("~", ".")):
        return f"There is no folder {data}. Check the path, or use a data set by name: {', '.join(DATASETS)}."
    near = difflib.get_close_matches(data.lower().replace("-", "_"), DATASETS, n=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no data set or folder called {data!r}.{hint} Data sets: {', '.join(DATASETS)}; or pass a folder."
