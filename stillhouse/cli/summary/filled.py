"""A folder that one command fills again and again: what it wrote earlier and does not write now is removed."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...checkpoints import write_atomically

LIST = ".written.json"  # in the folder: the files that the command wrote, each with a digest of its content


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """Yield an empty folder elsewhere, and move its files to `folder` at the end; a kill leaves nothing behind.

    Files of an earlier call that this one did not make are removed from `folder`. Files that somebody else put there or
    has changed since stay.
    """
    with tempfile.TemporaryDirectory(prefix="stillhouse-") as elsewhere:
        yield Path(elsewhere)
        folder.mkdir(exist_ok=True)
        made = {file.name: file.read_bytes() for file in sorted(Path(elsewhere).iterdir())}
    digests = {name: _digest(content) for name, content in made.items()}
    stale = {name: digest for name, digest in _earlier(folder).items() if name not in made}
    _keep(folder, stale | digests)  # first, so that the next call knows the files of one that is killed
    for name, content in made.items():
        write_atomically(folder / name, content)
    for name, digest in stale.items():
        file = folder / name
        if file.is_file() and not file.is_symlink() and _digest(file.read_bytes()) == digest:
            file.unlink()
    _keep(folder, digests)


def _keep(folder: Path, digests: Mapping[str, str]) -> None:
    write_atomically(folder / LIST, (json.dumps(digests, indent=1) + "\n").encode())


def _earlier(folder: Path) -> dict[str, str]:
    """Return the names and digests that an earlier call kept; none if there was none or its list is damaged."""
    try:
        known = json.loads((folder / LIST).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(known, dict):
        return {}
    return {name: str(digest) for name, digest in known.items() if name == os.path.basename(name) and name != LIST}


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
