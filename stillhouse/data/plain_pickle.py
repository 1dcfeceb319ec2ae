"""Pickles of numbers, texts, lists and NumPy arrays, read without trusting them: nothing in the file is called."""

from __future__ import annotations

import io
import pickle
import pickletools
import warnings
from pathlib import Path

import numpy as np

MOST_STEPS = 2_000_000  # of reading a file; CIFAR-100's take a fifth of it
MOST_CONTAINERS = 1_000  # lists, tuples and dictionaries: more could be nested so deeply that Python crashes
_DAMAGED = (  # raised by unpickling a damaged or hostile file
    *(pickle.UnpicklingError, AttributeError, EOFError, IndexError, RecursionError),
    *(KeyError, MemoryError, OverflowError, TypeError, ValueError),
)
_BUILDS = {
    "REDUCE",
    "BUILD",
    "INST",
    "OBJ",
    "NEWOBJ",
    "NEWOBJ_EX",
    "TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "EMPTY_TUPLE",
}
_BUILDS |= {"LIST", "EMPTY_LIST", "DICT", "EMPTY_DICT", "EMPTY_SET", "FROZENSET"}


def read_plain(path: Path) -> object:
    """Return what a pickle holds.

    Raises:
        ValueError: If it is missing or damaged, or holds anything else than plain values and arrays of numbers.
    """
    try:
        content = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange texts in a damaged file
            _look_over(content)
            found: object = _PlainUnpickler(content).load()
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: unpack the archive again") from error
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read ({error}): unpack the archive again") from error
    return found


def _look_over(content: bytes) -> None:
    """Refuse what could not be read in time, or be so deep that it crashes Python, without building anything."""
    containers = 0
    for step, (operation, _, _) in enumerate(pickletools.genops(content)):
        containers += operation.name in _BUILDS
        if step > MOST_STEPS or containers > MOST_CONTAINERS:
            raise pickle.UnpicklingError("it is made of more parts than any image data: the file may be malicious")


class _PlainUnpickler(pickle.Unpickler):
    """Reads NumPy arrays and Python's plain types. Any other class or function in the file is refused, not called."""

    def __init__(self, content: bytes):
        super().__init__(io.BytesIO(content), encoding="latin1")  # CIFAR's archives were written by Python 2

    def find_class(self, module: str, name: str) -> object:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty_array
        if (module, name) == ("numpy", "ndarray"):  # only ever an argument of the above
            return _ArrayMark
        if (module, name) == ("numpy", "dtype"):
            return _dtype
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes in protocol 2
            return _encode
        raise pickle.UnpicklingError(
            f"loading this executes {module}.{name}, which no image data needs: the file may be malicious"
        )


class _ArrayMark:
    """Stand-in for numpy.ndarray, which a pickle could otherwise call in ways we do not foresee."""


def _empty_array(kind: object, shape: object, code: object) -> object:
    return np.empty(0, dtype=np.uint8)  # shape, type and content come next, as its state


def _dtype(code: str, align: object = False, copy: object = False) -> object:
    dtype = np.dtype(code)
    if dtype.kind not in "uif":  # an array of objects could be made to point anywhere
        raise pickle.UnpicklingError(f"it holds an array of {dtype}, not of numbers: the file may be malicious")
    return dtype


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")
