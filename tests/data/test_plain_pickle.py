"""Pickles of strangers: nothing runs, nothing crashes, and what is no plain data is a sentence, in time."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from stillhouse.data.plain_pickle import read_plain


def write(folder: Path, content: bytes) -> Path:
    (folder / "train").write_bytes(content)
    return folder / "train"


def test_plain_values_and_arrays_are_read(tmp_path: Path) -> None:
    content = {"data": np.arange(6, dtype=np.uint8).reshape(2, 3), "labels": [1, 2], "names": ("a", b"b", None, 1.5)}
    for protocol in range(5):
        found = read_plain(write(tmp_path, pickle.dumps(content, protocol)))
        assert isinstance(found, dict)
        assert (found.pop("data") == content["data"]).all()
        assert found == {key: content[key] for key in ("labels", "names")}


class _Malicious:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path = write(tmp_path, pickle.dumps({"data": _Malicious(tmp_path / "owned")}))
    with pytest.raises(
        ValueError, match=r"train cannot be read \(loading this executes posix.system.*may be malicious"
    ):
        read_plain(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("name", ["eval", "getattr", "exec"])
def test_builtins_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"loading this executes (__builtin__|builtins).{name}"):
        read_plain(write(tmp_path, b"c__builtin__\n" + name.encode() + b"\n(S'1'\ntR."))


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it holds an array of object, not of numbers"):
        read_plain(write(tmp_path, pickle.dumps(np.array([{}, None]), 2)))


@pytest.mark.parametrize(
    "body",
    [
        b"}" + b")" + b"\x85" * 200_000 + b"K\x01s",  # a tuple of a tuple of ... as a key: hashing it crashes Python
        b"}" + b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60)) + b"Ns",  # hashing it takes 2 ** 60 steps
        b")" + b"\x85" * 200_000,
        b"]" * 200_000 + b"a" * 199_999,
        b"(" * 3_000_000 + b"0",
        b"K\x01" * 3_000_000,
    ],
    ids=["key", "doubled", "tuples", "lists", "marks", "numbers"],
)
def test_deep_and_endless_files_are_refused_in_time(tmp_path: Path, body: bytes) -> None:
    path, began = write(tmp_path, b"\x80\x02" + body + b"."), time.process_time()
    with pytest.raises(ValueError, match=r"train cannot be read \(it (has|nests) .* than real data ever .*: the file"):
        read_plain(path)
    assert time.process_time() - began < 10


def test_copies_of_one_text_or_array_do_not_fill_the_memory(tmp_path: Path) -> None:
    text = b"X" + (1 << 20).to_bytes(4, "little") + bytes(1 << 20) + b"q\0X\6\0\0\0latin1q\1c_codecs\nencode\nq\2"
    with pytest.raises(ValueError, match=r"cannot be read \(it holds more bytes than the file has"):
        read_plain(write(tmp_path, b"\x80\x02(" + text + 400 * b"h\2h\0h\1\x86R" + b"l."))
    with pytest.raises(ValueError, match=r"cannot be read \(it holds more than 20 arrays"):
        read_plain(write(tmp_path, pickle.dumps([np.ones(1 + i, np.uint8) for i in range(21)], 2)))


def test_what_is_no_file_with_bytes_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train")
    with pytest.raises(ValueError, match=r"train cannot be read \(it is not a regular file\)"):
        read_plain(tmp_path / "train")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match=r"huge cannot be read \(it has 1,099,511,627,776 bytes\)"):
        read_plain(tmp_path / "huge")


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x80\x02", b"\x80\x02X\xff\xff\xff\x7f", b"\x80\x02I" + b"9" * 9999 + b"\n."]
)
def test_damage_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValueError, match=r"train cannot be read \(.*\): unpack the archive again$"):
        read_plain(write(tmp_path, content))


def test_random_damage_never_raises_anything_else(tmp_path: Path) -> None:
    whole = pickle.dumps({"data": np.zeros((2, 3), np.uint8), "labels": [1, 2], "names": ("a", "b")}, 2)
    draw = np.random.default_rng(0)
    for _ in range(1000):
        content = bytearray(whole)
        for place in draw.integers(len(whole), size=draw.integers(1, 5)):
            content[place] = draw.integers(256)
        path = write(tmp_path, bytes(content))
        try:
            read_plain(path)
        except ValueError:
            continue
