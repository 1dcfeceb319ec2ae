"""Pickles of numbers, texts, lists and NumPy arrays, read without trusting them: nothing in the file is called."""

from __future__ import annotations

import io
import pickle
import warnings
from pathlib import Path

import numpy as np

from ..checkpoints.pickles import look_over

MOST_BYTES = 1 << 31  # of a file; CIFAR-100's has a twelfth of it
MOST_ARRAYS = 20  # in a file; each can be a copy of the same bytes
MOST_CONTAINERS = 1_000  # lists, tuples and dictionaries: more could be nested so deeply that Python crashes
_DAMAGED = (  # raised by unpickling a damaged or hostile file
    *(pickle.UnpicklingError, AttributeError, EOFError, IndexError, RecursionError),
    *(KeyError, MemoryError, OverflowError, TypeError, ValueError),
)


def read_plain(path: Path) -> object:
    """Return what a pickle holds.

    Raises:
        ValueError: If it is missing or damaged, or holds anything else than plain values and arrays of numbers.
    """
    try:
        content = _content(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange texts in a damaged file
            look_over(content, MOST_CONTAINERS)
            found: object = _PlainUnpickler(content).load()
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: unpack the archive again") from error
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read ({error}): unpack the archive again") from error
    return found


def _content(path: Path) -> bytes:
    if not path.is_file() and path.exists():  # to open a pipe would wait for ever
        raise ValueError("it is not a regular file")
    size = path.stat().st_size
    if not 0 < size < MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes")
    return path.read_bytes()


class _PlainUnpickler(pickle.Unpickler):
    """Reads NumPy arrays and Python's plain types. Any other class or function in the file is refused, not called."""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="latin1")  # CIFAR's archives were written by Python 2
        self._arrays_left, self._bytes_left = MOST_ARRAYS, len(content)

    def find_class(self, module: str, name: str) -> object:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return self._empty_array
        if (module, name) == ("numpy", "ndarray"):  # only ever an argument of the above
            return _ArrayMark
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in protocol 2
            return self._encode
        raise pickle.UnpicklingError(
            f"loading this executes {module}.{name}, which no image data needs: the file may be malicious"
        )

    def _empty_array(self, kind: object, shape: object, code: object) -> object:
        self._arrays_left -= 1
        if self._arrays_left < 0:
            raise pickle.UnpicklingError(f"it holds more than {MOST_ARRAYS} arrays: the file may be malicious")
        return np.empty(0, dtype=np.uint8)  # shape, type and content come next, as its state

    def _encode(self, text: str, encoding: str) -> bytes:
        self._bytes_left -= len(text)
        if self._bytes_left < 0:
            raise pickle.UnpicklingError("it holds more bytes than the file has: it may be malicious")
        return text.encode("latin1")


class _ArrayMark:
    """Stand-in for numpy.ndarray, which a pickle could otherwise call in ways we do not foresee."""


def _dtype(code: str, align: object = False, copy: object = False) -> object:
    dtype = np.dtype(code)
    if dtype.kind not in "uif":  # an array of objects could be made to point anywhere
        raise pickle.UnpicklingError(f"it holds an array of {dtype}, not of numbers: the file may be malicious")
    return dtype
