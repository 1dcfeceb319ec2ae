"""Data sets: `load` takes a name or a folder and returns a `Data`."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import cifar, image_folder, parquet
from .arrays import Arrays as Arrays, from_arrays as from_arrays
from .cifar import cifar10 as cifar10, cifar100 as cifar100
from .dataset import Data as Data, Split as Split
from .decoded_cache import keep
from .digits import digits as digits
from .fashion_mnist import fashion_mnist as fashion_mnist
from .in_memory import InMemory as InMemory
from .on_disk import Folder as Folder

DATASETS: dict[str, Callable[[Path], Arrays]] = {
    "digits": digits,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
}

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "stillhouse"


def load(
    data: str | Path,
    *,
    batch_size: int = 64,
    seed: int = 0,
    image_size: int | None = None,
    validation: float = 0.0,
    split_seed: int = 0,
    flip: bool | None = None,
    drop_last: bool = False,
    workers: int | None = None,
    strong_view: bool = False,
    download_to: str | Path = CACHE,
) -> Data:
    """The data set called `data`, or the one in the folder `data`.

    A folder may hold CIFAR's Python archives, Hugging Face parquet files (train-*.parquet, test-*.parquet) or images in
    class folders (train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg: then 20 % of each class are held out as the
    test set). Square images of one size up to 64 pixels are held in memory, others are read from disk batch by batch.

    Args:
        data: A name in `DATASETS`, or a path. A name wins over a folder of that name; write ./digits for the folder.
        seed: Of the run: the order of the images and what augmentation draws.
        image_size: Pixels. None: as the images are in memory, 224 for images on disk.
        validation: Fraction of each training class to take out of the training set as `Data.validation`.
        split_seed: Which images those are. Not the run's seed, or a teacher trained with another seed would have been
            trained on the validation images of its students.
        flip: Whether training mirrors images. None: as suits the data set (everything but digits).
        drop_last: Leave out the last training batch of an epoch if it is not full.
        workers: Processes that decode images from disk. None: 0 below 1,000 images, else one a CPU, at most 8.
        strong_view: Whether training batches show each image a second time, strongly augmented: some methods need it.
        download_to: Where downloads are kept, and what was decoded of folders with many small images.
    """
    if not 0 <= validation < 1:
        raise ValueError(f"validation is {validation}; it is the fraction to hold out, at least 0 and below 1.")
    source = _decoded(str(data), at_home(Path(download_to)), image_size)
    if isinstance(source, Arrays):
        return from_arrays(
            source,
            batch_size=batch_size,
            seed=seed,
            image_size=image_size,
            validation=validation,
            split_seed=split_seed,
            flip=flip,
            drop_last=drop_last,
            strong_view=strong_view,
        )
    return image_folder.from_files(
        source,
        batch_size=batch_size,
        seed=seed,
        image_size=image_size,
        validation=validation,
        split_seed=split_seed,
        flip=flip,
        drop_last=drop_last,
        workers=workers,
        strong_view=strong_view,
    )


def at_home(folder: Path) -> Path:
    """Where ~/... is; a place among temporary files for a user who has no home, as in some containers."""
    try:
        return folder.expanduser()
    except RuntimeError:
        own = Path(tempfile.gettempdir()) / f"stillhouse-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        return own if own.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp())


def _decoded(data: str, download_to: Path, image_size: int | None) -> Arrays | image_folder.Files:
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
        return keep(shelf, str(folder), sorted(tables.glob("*.parquet")), lambda: parquet.read(tables, folder.name))
    files = image_folder.find(folder)

    def small() -> Arrays | image_folder.Files:
        size = image_folder.small_size(files)
        return files if size is None or image_size not in (None, size) else image_folder.decoded(files, size)

    return keep(shelf, f"{folder} {image_size}", (*files.train, *files.test), small)


def _unknown(data: str) -> str:
    if os.sep in data or data.startswith(("~", ".")):
        return f"There is no folder {data}. Check the path, or use a data set by name: {', '.join(DATASETS)}."
    near = difflib.get_close_matches(data.lower().replace("-", "_"), DATASETS, n=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no data set or folder called {data!r}.{hint} Data sets: {', '.join(DATASETS)}; or pass a folder."
