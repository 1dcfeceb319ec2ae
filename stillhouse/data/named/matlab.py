"""Arrays in MATLAB's .mat files (version 5), as some data sets are published."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

_LARGEST = 1 << 31  # bytes of a file
_MOST = 1 << 31  # numbers in an array


def load_mat(path: Path, *names: str, content: bytes | None = None) -> list[np.ndarray]:
    """Return the arrays of these names.

    Args:
        content: What the file holds, where it lies in an archive.

    Raises:
        ValueError: If the file is missing or damaged, lacks one of them, or says of one that it is enormous.
    """
    from scipy.io import loadmat, whosmat  # here, because only two or three data sets need it

    if content is None and not path.is_file():
        raise ValueError(f"{path} is missing or not a file: get it again")
    if content is None and path.stat().st_size > _LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, more than it ever has: get it again")

    def file() -> str | io.BytesIO:
        return str(path) if content is None else io.BytesIO(content)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange contents in a damaged file
            sizes = {name: np.prod([float(side) for side in shape]) for name, shape, _ in whosmat(file())}
            if any(sizes.get(name, 0) > _MOST for name in names):
                raise ValueError("an array of it is said to be enormous")
            found = loadmat(file(), variable_names=list(names))
    except Exception as error:  # SciPy raises anything for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is damaged or not a MATLAB file ({reason}): get it again") from error
    lacking = [name for name in names if not isinstance(found.get(name), np.ndarray)]
    if lacking:
        raise ValueError(f"{path} holds no array {lacking[0]}: it is not a file of this data set")
    return [found[name] for name in names]


def numbers(array: np.ndarray, path: Path, low: int, high: int) -> list[int]:
    """Return whole numbers of an array of any shape, which must lie between two others."""
    flat = array.ravel()
    if flat.dtype.kind not in "uif" or not len(flat) or not np.all((flat >= low) & (flat <= high) & (flat % 1 == 0)):
        raise ValueError(f"{path} holds something other than whole numbers from {low} to {high}: get it again")
    return [int(number) for number in flat.tolist()]
