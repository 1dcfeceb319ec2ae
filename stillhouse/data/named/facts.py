"""A published data set: what it is, where its files come from, and the function that reads its original layout."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..arrays import Arrays
from ..image_files import Files
from .fetch import Archive, Say, alone, fetch, in_words, verify
from .unpack import Limits, unpack

_ROOM = 2  # times the published number of files and bytes, above which an archive is not unpacked


@dataclass(frozen=True)
class Named:
    """A data set that is known by its name.

    Args:
        name: As --data takes it.
        title: Its authors' name for it, with the source.
        images: Published numbers of training, validation and test images.
        classes: Number of classes.
        pixels: Size of the images, in words.
        licence: Terms of use, in words.
        page: Web page of the data set.
        read: Returns the images of a folder that is in the original layout.
        is_in: Returns True for a folder in the original layout.
        folder: Name of the unpacked data set, below the folder of downloads.
        store: Folder of its archives, below the folder of downloads.
        archives: The published files that are needed; none for data that come with a library.
        unpacked: Bytes that they unpack to, about.
        files: Files that they unpack to, about.
        left_out: Published parts that are not read, in words.
    """

    name: str
    title: str
    images: tuple[int, int, int]
    classes: int
    pixels: str
    licence: str
    page: str
    read: Callable[[Path], Arrays | Files]
    is_in: Callable[[Path], bool] = lambda folder: False
    folder: str = ""
    store: str = ""
    archives: tuple[Archive, ...] = ()
    unpacked: int = 0
    files: int = 0
    left_out: str = ""

    def get(self, download_to: Path, say: Say) -> Arrays | Files:
        """Return the images, after a download if they are not in `download_to`.

        Raises:
            ValueError: If a file is missing, damaged or not the published one; the sentence says where it belongs.
        """
        return self.read(self._obtain(download_to, say) if self.archives else download_to)

    def place_in(self, folder: Path) -> Path | None:
        """Return the folder itself or the one in it that is in the original layout; None if neither is."""
        places = [folder, folder / self.folder] if self.folder else [folder]
        return next((place for place in places if self.is_in(place)), None)

    def differs(self, counts: Sequence[int]) -> list[str]:
        """Return a note if these are not the published numbers of training, validation and test images."""
        if tuple(counts) == self.images:
            return []
        here, published = (_in_words(numbers) for numbers in (counts, self.images))
        return [f"this is a part of {self.title.partition(' (')[0]}: {here}, published are {published}"]

    def _obtain(self, download_to: Path, say: Say) -> Path:
        target, store = download_to / self.folder, download_to / (self.store or self.name)
        if self.is_in(target):
            for archive in self.archives:
                if archive.is_kept and (target / archive.name).is_file():
                    verify(archive, target / archive.name, say)
            return target
        with alone(store):
            if self.is_in(target):  # another process was faster
                return target
            self._refuse_without_login(store)
            files = [fetch(archive, store, say) for archive in self.archives]
            if not all(archive.is_kept for archive in self.archives):
                say(f"unpacking {self.name} to {target} ({in_words(self.unpacked)})")
                unpack(files, target, Limits(_ROOM * self.files, _ROOM * self.unpacked))
        if not self.is_in(target):
            raise ValueError(f"{target} lacks files of {self.name}: delete it and try again")
        return target

    def _refuse_without_login(self, store: Path) -> None:
        missing = [archive for archive in self.archives if not archive.url and not (store / archive.name).is_file()]
        if missing:
            names = ", ".join(f"{archive.name} ({in_words(archive.size)})" for archive in missing)
            raise ValueError(
                f"{self.name} cannot be downloaded without a login: get {names} from {self.page} and put "
                f"{'them' if len(missing) > 1 else 'it'} into {store}, or pass the unpacked folder as --data"
            )


def holds(*names: str) -> Callable[[Path], bool]:
    """Return a function that is True for a folder with all of these files and folders."""
    return lambda folder: all(os.path.exists(folder / name) for name in names)


def _in_words(numbers: Sequence[int]) -> str:
    kinds = ("training", "validation", "test")
    found = [(n, kind) for n, kind in zip(numbers, kinds, strict=True) if n]
    return " and ".join(f"{n:,} {kind} image{'' if n == 1 else 's'}" for n, kind in found)
