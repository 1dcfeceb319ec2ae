"""Images that a user names: files, folders, patterns, and names on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..data.folders.tree import Tree
from ..spelling import nearest_path

_STANDARD_INPUT = "-"


def named(words: Sequence[str]) -> Iterator[str]:
    """Yield the paths of images, each as often as it is named, in the order of the words.

    A folder stands for the images in it and below, sorted by name; a pattern such as 'photos/**/*.jpg' for the files
    that match, sorted; "-" for the paths on standard input, one a line, which are read as they come.

    Raises:
        ValueError: If a word names nothing; before anything is yielded.
    """
    if words.count(_STANDARD_INPUT) > 1:
        raise ValueError("- stands for standard input, which can be read only once; give it once")
    groups = [_lines(sys.stdin) if word == _STANDARD_INPUT else _group(word) for word in words]
    return (path for group in groups for path in group)


def _lines(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\r\n") for line in lines if line.strip())


def _group(word: str) -> list[str]:
    place = Path(word).expanduser()
    if os.path.isdir(place):
        return _in_folder(str(place))
    if os.path.lexists(place):
        return [str(place)]
    if glob.has_magic(word):
        found = sorted(path for path in glob.glob(str(place), recursive=True) if not os.path.isdir(path))
        if found:
            return found
        raise ValueError(f"no file matches {word}; check the pattern")
    raise ValueError(f"there is no file or folder {word}{nearest_path(word)}; check the path")


def _in_folder(folder: str) -> list[str]:
    listings = Tree().below(folder)
    found = [os.path.join(one.path, name) for one in listings for name in (*one.images, *one.broken)]
    if not found:
        raise ValueError(f"{folder} holds no images; check the path, or name the files")
    return sorted(found, key=lambda path: path.split(os.sep))
