"""Lists folders: images, further folders, and what is left out; each folder is looked at once, no link twice."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from ..decode import FORMATS

# Of images that are read; SGI's and TGA's others are also those of other kinds of files.
SUFFIXES = frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)
SUFFIXES = SUFFIXES - {".rgb", ".rgba", ".bw"} | {".mpo", ".tga"}

# Files and folders that programs make for themselves; never a class, never a picture of one.
_TOOL_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}
_TOOL_FOLDERS = {"@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
_TOOL_FOLDERS |= {"__macosx", "__pycache__", "thumbnails", "thumbnail"}
_THUMBNAILS = {"thumbs", "thumb", "_thumbs", "_thumbnails"}  # inside a class; as a class it may be a gesture
_RUN = {"metrics.jsonl", "result.json", "state.pt", "lock"}  # with config.yaml: a run of stillhouse's
_EXAMPLES = 8


@dataclass
class Listing:
    """The contents of one folder, without those of folders in it."""

    path: str
    real: str  # without links
    images: list[str] = field(default_factory=list)  # names, sorted
    links: dict[str, str] = field(default_factory=dict)  # images that are links, and the real file of each
    broken: dict[str, str] = field(default_factory=dict)  # images that are not files, and what is wrong with each
    folders: list[str] = field(default_factory=list)  # names, sorted, links after the others
    tools: list[str] = field(default_factory=list)  # folders that are not looked into
    loops: list[str] = field(default_factory=list)  # links to a folder above
    hidden: list[str] = field(default_factory=list)  # names of hidden images
    others: Counter[str] = field(default_factory=Counter)  # suffixes of files that are not read
    examples: list[str] = field(default_factory=list)  # names of some of them


@dataclass(frozen=True, slots=True)
class Found:
    """An image below a class folder."""

    path: str
    name: str  # below the class folder
    real: str  # the path without links
    problem: str = ""  # what is wrong with it, if that is known without opening it


class Tree:
    """The folders below a root, listed when asked for.

    Hidden files and folders are left out, and what programs make for themselves. Links are followed, but not to a
    folder that the link lies in.
    """

    def __init__(self) -> None:
        self._listed: dict[str, Listing] = {}
        self._has_images: dict[str, bool] = {}

    def listing(self, path: str) -> Listing:
        """Raise ValueError for a folder that cannot be looked into."""
        if path not in self._listed:
            self._listed[path] = _list(path)
        return self._listed[path]

    def folders(self, path: str) -> list[str]:
        """Return the names of the folders in `path` that hold images at any depth, sorted."""
        listing = self.listing(path)
        return sorted(name for name in listing.folders if self.has_images(os.path.join(path, name)))

    def own_images(self, path: str) -> int:
        """Return the number of images that lie in `path` itself."""
        listing = self.listing(path)
        return len(listing.images) + len(listing.broken)

    def has_images(self, path: str) -> bool:
        """Return True if an image lies in `path` or below."""
        if path not in self._has_images:
            self._has_images[path] = any(inner.images or inner.broken for inner in self.below(path))
        return self._has_images[path]

    def count(self, path: str) -> int:
        """Return the number of images in `path` and below."""
        return sum(self.own_images(inner.path) for inner in self.below(path))

    def below(self, path: str) -> Iterator[Listing]:
        """Yield what `path` and each real folder below it hold, every one once; folders come before links to them."""
        seen, waiting, links = set[str](), [path], list[str]()
        while waiting or links:
            listing = self.listing(waiting.pop() if waiting else links.pop(0))
            if listing.real in seen:
                continue
            seen.add(listing.real)
            yield listing
            for name in reversed([name for name in listing.folders if not is_for_thumbnails(name)]):
                inner = os.path.join(listing.path, name)
                (links if os.path.islink(inner) else waiting).append(inner)

    def images(self, folder: str) -> list[Found]:
        """Return the images in a class folder and below, in the order of their paths."""
        found = []
        for listing in self.below(folder):
            is_own = listing.real == listing.path
            for name in (*listing.images, *listing.broken):
                path = os.path.join(listing.path, name)
                real = listing.links.get(name) or (path if is_own else os.path.join(listing.real, name))
                found.append(Found(path, path[len(folder) + 1 :], real, listing.broken.get(name, "")))
        return sorted(found, key=lambda image: image.path.split(os.sep))


def is_for_thumbnails(name: str) -> bool:
    """Return True for the name of a folder inside a class folder that holds small copies of its images."""
    return name.lower() in _THUMBNAILS


def look_at(path: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds, in no order.

    Raises:
        ValueError: If it cannot be looked into.
    """
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be opened ({error.strerror}): give yourself permission to read it, or move it away"
        ) from error


def _list(path: str) -> Listing:
    entries = sorted(look_at(path), key=lambda entry: entry.name)
    listing = Listing(path, os.path.realpath(path))
    links = []
    for entry in entries:
        name, suffix = entry.name, os.path.splitext(entry.name)[1].lower()
        if os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir():
            if _is_for_tools(entry):
                listing.tools.append(name)
            elif not entry.is_symlink():
                listing.folders.append(name)
            elif _is_above(os.path.realpath(entry.path), listing.real):
                listing.loops.append(name)
            else:
                links.append(name)
        elif name.startswith("."):
            listing.hidden += [name] if suffix in SUFFIXES or name.lower() in SUFFIXES else []
        elif name.lower() not in _TOOL_FILES:
            problem = None if entry.is_file(follow_symlinks=False) else _problem(entry)
            if suffix not in SUFFIXES and (suffix or not entry.is_symlink() or problem is None):
                listing.others[suffix] += 1
                listing.examples += [name] if len(listing.examples) < _EXAMPLES else []
            elif problem is not None:
                listing.broken[name] = problem
            else:
                listing.images.append(name)
                if entry.is_symlink():
                    listing.links[name] = os.path.realpath(entry.path)
    listing.folders += links
    return listing


def _is_for_tools(folder: os.DirEntry[str]) -> bool:
    """Return True if a program made this folder for itself, as stillhouse makes those of its runs."""
    if folder.name.startswith(".") or folder.name.lower() in _TOOL_FOLDERS:
        return True
    if not os.path.isfile(os.path.join(folder.path, "config.yaml")):
        return False
    return any(os.path.isfile(os.path.join(folder.path, name)) for name in _RUN)


def _is_above(folder: str, inner: str) -> bool:
    """Return True if `inner` is `folder` or lies in it; both without links."""
    return inner == folder or inner.startswith(folder.rstrip(os.sep) + os.sep)


def _problem(entry: os.DirEntry[str]) -> str | None:
    """Return why this is not a file that can be opened; None if it is one."""
    try:
        if stat.S_ISREG(entry.stat().st_mode):
            return None
        return "is a pipe, socket or device, not a file: remove it"
    except OSError as error:
        if entry.is_symlink():
            circle = (
                " in a circle" if error.errno == errno.ELOOP else f" to {os.readlink(entry.path)}, which is missing"
            )
            return f"is a link{circle}: restore the file, or delete the link"
        return f"cannot be examined ({error.strerror}): give yourself permission to read it, or delete it"
