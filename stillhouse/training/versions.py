"""The software that a run is made with: versions, and the commit where this package lies in a checkout."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

_PACKAGE = Path(__file__).parents[1]


def versions() -> dict[str, str]:
    """Return the versions of stillhouse (with its commit, if there is one), PyTorch and CUDA by name."""
    commit = commit_of(_PACKAGE)
    return {
        "stillhouse": _installed(),
        **({"commit": commit} if commit else {}),
        "torch": torch.__version__,
        **({"cuda": torch.version.cuda} if torch.version.cuda and torch.cuda.is_available() else {}),
    }


def _installed() -> str:
    try:
        return version("stillhouse")
    except PackageNotFoundError:
        return "from a folder, not installed"


@cache
def commit_of(package: Path) -> str | None:
    """Return the commit of a checkout whose top holds this package, "+ changes" after it where files differ from it.

    None where there is no git, or the folder belongs to another repository, as that of somebody's environment would.
    """
    top = _git(package, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != package.resolve().parent:
        return None
    commit = _git(package, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(package, "status", "--porcelain", "--", ".")
    return f"{commit} + changes" if changed else commit


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
