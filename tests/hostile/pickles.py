"""CIFAR archives whose pickles run code, hold themselves, or claim to be larger than they are."""

from __future__ import annotations

import builtins
import os
import pickle
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.hostile.trial import Case, Ground, Maker
from tests.hostile.watch import MARK

SHELL = f"touch {MARK}"
PYTHON = f"open({MARK!r}, 'w')"
BATCH = {"data": np.zeros((4, 3072), np.uint8), "fine_labels": [0, 1, 0, 1]}
TEXT = b"X" + struct.pack("<I", 4) + b"data"
END = b"."


class Calls:
    """Becomes a call when it is unpickled."""

    def __init__(self, function: Callable[..., object], *arguments: object):
        self.made = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.made


def calls(module: str, name: str, *arguments: str) -> bytes:
    """Return protocol 0, which names a function in words."""
    words = b"".join(b"V" + word.encode() + b"\n" for word in arguments)
    return f"c{module}\n{name}\n(".encode() + words + b"tR" + END


def doubled(times: int, make: bytes = b"\x86") -> bytes:
    """Return (a tuple of) twice the one before, so many times: to hash it takes 2 ** times steps."""
    return b"\x80\x02)" + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + make for i in range(times))


def array(shape: tuple[int, ...], kind: str, content: bytes, state: object = None) -> bytes:
    """Return a batch whose array says this of itself."""
    whole = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0, 1]}, 2)
    old = pickle.dumps((2, 3072), 2)[2:-1]
    new = pickle.dumps(shape, 2)[2:-1]
    whole = whole.replace(old.replace(b"q\x00", b""), new.replace(b"q\x00", b""))
    return whole.replace(b"u1", kind.encode())


def claims(opcode: bytes, width: str, length: int) -> bytes:
    return b"\x80\x04" + opcode + struct.pack(width, length) + b"abc" + END


def changed_dtype(fields: bool) -> bytes:
    """Return a pickle that tells NumPy's own type of bytes that it is another one."""
    if fields:
        return _built(Calls(np.dtype, "u1"), (3, "|", None, ("a",), {"a": (Calls(np.dtype, "O"), 0)}, 8, 8, 63))
    return _built(Calls(np.dtype, "f4"), (3, ">", None, None, None, 2, 2, 0))


def _built(made: object, state: object) -> bytes:
    return pickle.dumps(made, 2)[:-1] + pickle.dumps(state, 2)[2:-1] + b"b" + END


PICKLES: dict[str, Callable[[], bytes]] = {
    "os.system": lambda: pickle.dumps(Calls(os.system, SHELL)),
    "eval": lambda: pickle.dumps({"data": Calls(builtins.eval, PYTHON)}),
    "exec": lambda: pickle.dumps({"data": Calls(builtins.exec, PYTHON)}, 0),
    "subprocess": lambda: calls("subprocess", "getoutput", SHELL),
    "an attribute": lambda: b"\x80\x04\x8c\x05numpy\x8c\x15lib.npyio.DataSource\x93" + END,
    "numpy's loader": lambda: calls("numpy", "load", "/etc/passwd"),
    "runpy": lambda: calls("runpy", "run_path", "evil.py"),
    "a class": lambda: b"(ios\nsystem\n" + END,
    "a class, otherwise": lambda: b"(cos\nsystem\nV" + SHELL.encode() + b"\no" + END,
    "a persistent id": lambda: b"Pabc\n" + END,
    "an extension": lambda: b"\x80\x02\x82\x01" + END,
    "a buffer elsewhere": lambda: b"\x80\x05\x97" + END,
    "lists in lists": lambda: 500_000 * b"]" + 499_999 * b"a" + END,
    "tuples in tuples": lambda: b")" + 500_000 * b"\x85" + END,
    "dictionaries in dictionaries": lambda: 100_000 * b"}I1\n" + b"N" + 100_000 * b"s" + END,
    "a list that holds itself": lambda: b"]q\0h\0a" + END,
    "a dictionary that holds itself": lambda: b"}q\0" + TEXT + b"h\0s" + END,
    "marks": lambda: 2_000_000 * b"(" + END,
    "a key that takes for ever": lambda: b"\x80\x02}" + doubled(60)[2:] + b"Ns" + END,
    "a set that takes for ever": lambda: b"\x80\x04\x8f(" + doubled(60)[2:] + b"\x90" + END,
    "data that take for ever": lambda: b"}" + TEXT + doubled(60)[2:] + b"s" + END,
    "copies of a long text": lambda: (
        b"\x80\x02X" + struct.pack("<I", 1 << 25) + bytes(1 << 25) + b"q\0X\6\0\0\0latin1q\1c_codecs\nencode\nq\2"
        b"(" + 900 * b"h\2h\0h\1\x86R" + b"l" + END
    ),
    "an endless type": lambda: b"cnumpy\ndtype\n(" + doubled(200, b"\x86")[2:] + b"tR" + END,
    "a text of 4 GB": lambda: claims(b"X", "<I", 2**32 - 1),
    "a text of exabytes": lambda: claims(b"\x8d", "<Q", 2**62),
    "bytes of exabytes": lambda: claims(b"\x8e", "<Q", 2**63 - 1),
    "a bytearray of exabytes": lambda: claims(b"\x96", "<Q", 2**62),
    "a frame of exabytes": lambda: claims(b"\x95", "<Q", 2**64 - 1),
    "a number of 2 GB": lambda: claims(b"\x8b", "<i", 2**31 - 1),
    "a number of negative length": lambda: claims(b"\x8b", "<i", -5),
    "a number of a million digits": lambda: b"L" + 1_000_000 * b"9" + b"L\n" + END,
    "a memo of 4 billion": lambda: b"Nr\xff\xff\xff\xff" + END,
    "an array of exabytes": lambda: array((2**40, 3072), "u1", b""),
    "an array of less than nothing": lambda: array((-2, 3072), "u1", b""),
    "an array of objects": lambda: array((2, 3072), "O8", b""),
    "an array of times": lambda: array((2, 3072), "M8", b""),
    "a type that is changed": lambda: changed_dtype(fields=True),
    "the order of bytes is changed": lambda: changed_dtype(fields=False),
    "nothing": lambda: b"",
    "text": lambda: b"hello\n",
    "a web page": lambda: b"<html></html>",
    "labels of another kind": lambda: pickle.dumps({**BATCH, "fine_labels": ["a", 1, None, 2]}, 2),
    "labels beyond": lambda: pickle.dumps({**BATCH, "fine_labels": [0, 10**30, -5, 1]}, 2),
    "labels that are few": lambda: pickle.dumps({**BATCH, "fine_labels": [0]}, 2),
    "no images": lambda: pickle.dumps({**BATCH, "data": "none"}, 2),
    "images of floats": lambda: pickle.dumps({**BATCH, "data": np.full((4, 3072), np.nan)}, 2),
}


def archive(place: Path) -> Path:
    """Write CIFAR-100's form of an archive, with four images."""
    place.mkdir()
    for name in ("train", "test"):
        (place / name).write_bytes(pickle.dumps(BATCH, 2))
    (place / "meta").write_bytes(pickle.dumps({"fine_label_names": ["a", "b"]}, 2))
    return place


def _written(content: Callable[[], bytes]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        data = archive(ground.place / "data")
        (data / lot.choice(["train", "test", "meta"])).write_bytes(content())
        return Case(ground.train(data))

    return make


def _placed(put: Callable[[Path], object]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        file = archive(ground.place / "data") / "test"
        file.unlink()
        put(file)
        return Case(ground.train(file.parent))

    return make


def _names(*names: object) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        data = archive(ground.place / "data")
        (data / "meta").write_bytes(pickle.dumps({"fine_label_names": list(names)}, 2))
        return Case(ground.train(data))

    return make


def sparse(path: Path) -> None:
    """Make a file of a terabyte that takes no room."""
    path.touch()
    os.truncate(path, 1 << 40)


KINDS: dict[str, Maker] = {
    **{f"pickle: {name}": _written(content) for name, content in PICKLES.items()},
    "pickle: a pipe": _placed(os.mkfifo),
    "pickle: a folder": _placed(os.mkdir),
    "pickle: a device": _placed(lambda path: path.symlink_to("/dev/zero")),
    "pickle: the kernel's log": _placed(lambda path: path.symlink_to("/proc/kmsg")),
    "pickle: a terabyte": _placed(sparse),
    "pickle: names that are numbers": _names(1, 2),
    "pickle: one name": _names("a"),
    "pickle: no names": _names(),
}
