"""Data sets: `load` takes a name or a folder and returns a `Data`."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import cifar, image_folder, own, parquet
from .arrays import Arrays as Arrays, from_arrays as from_arrays
from .cifar import cifar10 as cifar10, cifar100 as cifar100
from .dataset import Data as Data, Split as Split
from .decoded_cache import keep
from .digits import digits as digits
from .fashion_mnist import fashion_mnist as fashion_mnist
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
    source = _decoded(str(data), at_home(Path(options.download_to)), options)
    return from_arrays(source, options) if isinstance(source, Arrays) else image_folder.from_files(source, options)


def at_home(folder: Path) -> Path:
    """Where ~/... is; a place among temporary files for a user who has no home, as in some containers."""
    try:
        return folder.expanduser()
    except RuntimeError:
        own = Path(tempfile.gettempdir()) / f"stillhouse-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        return own if own.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp())


def _decoded(data: str, download_to: Path, options: LoadOptions) -> Arrays | image_folder.Files:
    """The images in memory if they are small, otherwise where they are."""
    if data in DATASETS:
        return DATASETS[data](download_to)
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
    files = image_folder.find(folder)

    def small() -> Arrays | image_folder.Files:
        size = image_folder.small_size(files)
        if size is None or options.image_size not in (None, size):
            return files
        return image_folder.decoded(files, size, options.decoding)

    return keep(shelf, f"{folder} {options.image_size} {options.decoding.key()}", (*files.train, *files.test), small)


def _unknown(data: str) -> str:
    if os.sep in data or data.startswith(("~", ".")):
        return f"There is no folder {data}. Check the path, or use a data set by name: {', '.join(DATASETS)}."
    near = difflib.get_close_matches(data.lower().replace("-", "_"), DATASETS, n=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no data set or folder called {data!r}.{hint} Data sets: {', '.join(DATASETS)}; or pass a folder."
