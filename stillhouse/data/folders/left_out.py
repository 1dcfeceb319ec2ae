"""Counts what lies in class folders and is not read, and says it in notes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

from ...spelling import counted
from .inventory import by_suffix, some
from .tree import SUFFIXES, Listing, Tree, is_for_thumbnails

_NEEDS = {".heic": "pillow-heif", ".heif": "pillow-heif", ".avif": "a newer Pillow"}


@dataclass
class LeftOut:
    """Everything in the folders of a data set that is not read."""

    root: str
    suffixes: Counter[str] = field(default_factory=Counter)  # of files that are not read as images
    hidden: list[str] = field(default_factory=list)  # images whose names begin with a dot
    tools: Counter[str] = field(default_factory=Counter)  # folders that programs make -> images in them
    loops: list[str] = field(default_factory=list)  # links to a folder above

    def look(self, listing: Listing, is_class: bool = True) -> None:
        """Count what a folder holds that is not read; of a folder of classes its own files do not count."""
        where = os.path.relpath(listing.path, self.root)
        self.suffixes += listing.others if is_class else Counter()
        self.hidden += [os.path.normpath(os.path.join(where, name)) for name in listing.hidden]
        self.loops += [os.path.normpath(os.path.join(where, name)) for name in listing.loops]
        for name in listing.tools + [name for name in listing.folders if is_class and is_for_thumbnails(name)]:
            self.tools[name] += _images_anywhere(os.path.join(listing.path, name))

    def look_below(self, tree: Tree, folder: str) -> None:
        """Count what a class folder and all folders in it hold."""
        for listing in tree.below(folder):
            self.look(listing)

    def notes(self) -> list[str]:
        """Return a sentence for each kind of thing."""
        notes = []
        if self.suffixes:
            needs = sorted({f"{_NEEDS[suffix]} for {suffix}" for suffix in self.suffixes if suffix in _NEEDS})
            notes.append(
                f"left out {counted(self.suffixes.total(), 'file')} that cannot be read as images: "
                f"{by_suffix(self.suffixes)}" + (f" (install {some(needs)})" if needs else "")
            )
        if self.hidden:
            notes.append(f"left out {counted(len(self.hidden), 'hidden image')}: {some(self.hidden, 3)}")
        tools = {name: count for name, count in self.tools.items() if count}
        if tools:
            notes.append(
                f"left out {counted(sum(tools.values()), 'image')} in hidden folders and those of other programs: "
                f"{some(sorted(tools))}"
            )
        if self.loops:
            notes.append(f"links to a folder that contains them were not followed: {some(self.loops, 3)}")
        return notes


def _images_anywhere(folder: str) -> int:
    """Return the number of images in a folder that is not read, and below, hidden ones as well; links do not count."""
    return sum(os.path.splitext(name)[1].lower() in SUFFIXES for _, _, names in os.walk(folder) for name in names)
