"""Data sets: `load` takes a name or a folder and returns a `Data`."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from ..spelling import no_data
from . import hub, image_folder, named, own
from .arrays import Arrays as Arrays, from_arrays as from_arrays
from .dataset import Data as Data, Split as Split, digest_classes
from .decode import FilePart
from .decoded_cache import keep
from .held_out import settle
from .image_files import Files, alike, duplicates, look_into
from .in_memory import InMemory as InMemory
from .named import DATASETS as DATASETS, digits as digits
from .on_disk import Folder as Folder
from .options import DEFAULTS, LoadOptions as LoadOptions
from .pixels.square import Resize as Resize
from .pixels.views import Crop as Crop
from .placement import place
from .readers import listing
from .readers.cifar_tables import as_cifar
from .readers.find import Found, in_file, in_folder, without_splits
from .readers.table import files_of


def load(data: str | Path, options: LoadOptions = DEFAULTS, **changes: Any) -> Data:
    """Load the data set called `data`, the one in the folder `data`, or what your own function `data` returns.

    A folder may hold images in class folders (train/CLASS/*.jpg with val/CLASS/*.jpg or test/CLASS/*.jpg, or
    CLASS/*.jpg: then about 20 % of each class are held out as the test set), Hugging Face parquet or arrow files,
    webdataset tars, images with a table of classes (CSV, TSV, JSON lines, metadata.parquet), or CIFAR's Python
    archives. Small square images of one size are held in memory, others are read from disk (see `placement`).

    Args:
        data: A name in `DATASETS`, a path, `hf:OWNER/NAME` (see `hub`), or `file.py:function` or
            `package.module:function` (see `own.load`). A name wins over a folder of that name; write ./digits for the
            folder.
        options: All there is to choose; single ones can be given as keywords, `load("cifar100", batch_size=128)`.

    Raises:
        ValueError: If there is no such data set, or it cannot be read; the sentence says why.
    """
    options = options.but(**changes)
    if str(data).startswith(hub.PREFIX):
        return _on_the_hub(str(data), at_home(Path(options.download_to)), options)
    if own.is_own(str(data)):
        _needs_no_columns(str(data), options)
        return own.load(str(data), options)
    download_to = at_home(Path(options.download_to))
    if str(data) in DATASETS:
        _needs_no_columns(str(data), options)
        known = DATASETS[str(data)]
        source = _of_name(known, known.get(download_to, options.say or str), download_to, options)
    else:
        source = _on_disk(str(data), download_to, options)
    if isinstance(source, Files):
        return image_folder.from_files(source, options)
    return from_arrays(source, options) if source.name in DATASETS else _named(source, options)


def _on_the_hub(data: str, download_to: Path, options: LoadOptions) -> Data:
    """Download a data set of the Hugging Face Hub and read it as any folder."""
    folder, name = hub.folder_of(data)
    source = _on_disk(str(folder), download_to, options, name.short)
    where = f"{hub.PREFIX}{name.repository}, commit {name.commit_of(folder)[:10]}"
    source = dataclasses.replace(source, source=source.source.replace(str(folder), where))
    if isinstance(source, Files):
        return image_folder.from_files(source, options)
    return from_arrays(source, options) if source.name in DATASETS else _named(source, options)


def at_home(folder: Path) -> Path:
    """Return the place of ~/...; one among temporary files for a user who has no home, as in some containers."""
    try:
        return folder.expanduser()
    except RuntimeError:
        own = Path(tempfile.gettempdir()) / f"stillhouse-{os.getuid()}"
        own.mkdir(mode=0o700, exist_ok=True)
        return own if own.stat().st_uid == os.getuid() else Path(tempfile.mkdtemp())


def _on_disk(data: str, download_to: Path, options: LoadOptions, called: str = "") -> Arrays | Files:
    """Return the images in a folder or file: in memory if they are small, otherwise where they are.

    Args:
        called: Name of the data set; empty: that of the folder.
    """
    path = Path(data).expanduser()
    if not path.exists():
        raise ValueError(no_data(data, DATASETS))
    path = path.resolve()
    if path.is_dir() and (known := named.find(path)) is not None:
        _needs_no_columns(data, options)
        return _of_name(known[0], known[0].read(known[1]), download_to, options)
    store = download_to / "unpacked"
    found, passed_over = in_folder(path, options, store) if path.is_dir() else (in_file(path, options, store), [])
    if found is not None:
        return _in_tables(found, download_to, options, called)
    try:
        files = image_folder.find(path, options.test_only)
    except ValueError as error:
        found = without_splits(path, options, store)
        if found is None:
            raise listing.refused(path, error, options) from error
        return _in_tables(found, download_to, options, called)
    _needs_no_columns(data, options)
    files = dataclasses.replace(files, notes=(*files.notes, *passed_over), called=called)
    return _placed(files, download_to, options)


def _of_name(known: named.Named, source: Arrays | Files, download_to: Path, options: LoadOptions) -> Arrays | Files:
    """Return the images of a named data set where they belong, with notes about what is not the published whole."""
    if isinstance(source, Files):
        source = _placed(source, download_to, options)
    if isinstance(source, Files):
        counts = [len(source.train), len(source.validation), len(source.test)]
    else:
        own = source.validation_labels
        counts = [len(source.train_labels), 0 if own is None else len(own), len(source.test_labels)]
    return dataclasses.replace(source, notes=(*source.notes, *known.differs(counts)))


def _needs_no_columns(data: str, options: LoadOptions) -> None:
    """Refuse names of columns for data that are not a table."""
    for option in ("image_column", "label_column"):
        if getattr(options, option) is not None:
            raise ValueError(f"--{option} names a column of a table, and {data} was not read as one; leave it out")


def _placed(files: Files, download_to: Path, options: LoadOptions, tables: tuple[Path, ...] = ()) -> Arrays | Files:
    """Look into the images, and decode them if they are small.

    Args:
        tables: Files that say which class each image belongs to, where its folder does not.
    """
    files = _looked_into(files, download_to, options)
    asked = _question(files.root, options) + (f" {files.called} {_labels(files)}" if files.called else "")
    places = [path.path if isinstance(path, FilePart) else path for path in files.paths]
    depends_on = [*tables, *dict.fromkeys(path for path in places if isinstance(path, Path))]
    source = keep(download_to / "decoded", asked, depends_on, lambda: place(files, options))
    if isinstance(source, Files):
        return source
    notes, skipped = (*files.notes, *source.notes), files.skipped + source.skipped
    return dataclasses.replace(source, notes=notes, skipped=skipped, sample=files.sample)


def _in_tables(found: Found, download_to: Path, options: LoadOptions, called: str) -> Arrays | Files:
    if not found.holds_images:
        files = dataclasses.replace(files_of(found.read(), options.test_only), called=called)
        return _placed(files, download_to, options, found.files)

    def read() -> Arrays | Files:
        table = found.read()
        files = dataclasses.replace(files_of(table, options.test_only), called=called)
        files = _looked_into(files, download_to, options)
        source = place(files, options)
        if isinstance(source, Files):
            return source
        notes, skipped = (*files.notes, *source.notes), files.skipped + source.skipped
        # Without keys a validation set is drawn by the images' places, which are fixed in these files.
        arrays = dataclasses.replace(source, notes=notes, skipped=skipped, train_keys=None, sample=files.sample)
        return as_cifar(arrays, table.label_column)

    asked = f"{_question(found.files[0].parent, options)} {called}".rstrip()
    return keep(download_to / "decoded", asked, found.files, read)


def _looked_into(files: Files, download_to: Path, options: LoadOptions) -> Files:
    known = download_to / "contents" / hashlib.blake2b(os.fsencode(files.root), digest_size=8).hexdigest()
    files = settle(look_into(files, options, known), options)
    return dataclasses.replace(files, notes=(*files.notes, *alike(files.classes), *duplicates(files)))


def _labels(files: Files) -> str:
    """Return a digest of the labels, which lists tell and not the images."""
    labels = [part.tolist() for part in (files.train_labels, files.validation_labels, files.test_labels)]
    return hashlib.blake2b(f"{files.classes} {labels}".encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _question(root: Path, options: LoadOptions) -> str:
    """Return all that decoded images depend on beside their files."""
    names = ("image_size", "resize", "test_only", "trained_on", "skip_broken", "image_column", "label_column")
    return f"{root} {[getattr(options, name) for name in names]} {options.decoding.key()}"


def _named(arrays: Arrays, options: LoadOptions) -> Data:
    """Return decoded images of a folder; unlike those of a data set with a name, its classes can be renamed."""
    data = from_arrays(arrays, options)
    names = hashlib.blake2b(digest_classes(data.classes) + data.fingerprint.encode(), digest_size=16)
    return dataclasses.replace(data, fingerprint=names.hexdigest())
