from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path

import pytest
import torch

from stillhouse.data.decode import Encoded, FilePart, Source
from stillhouse.data.packed import Packed

ODD = os.fsdecode(b"/data/not UTF-8 \xff/\xe2\x82\xac.png")
SOURCES: list[Source] = [
    Path("/data/cat/1.jpg"),
    FilePart(Path("/data/train.tar"), 512, 70, "1.jpg in /data/train.tar"),
    Encoded(b"\0bytes\xff", "the image in row 0 of /data/train.parquet"),
    FilePart(Path("/data/val.tar"), 1 << 40, 1 << 33, ODD),
    FilePart(Path("/data/train.tar"), 1024, 0, ""),
    Encoded(b"", ODD),
    Path(ODD),
]


def test_what_was_packed_comes_out_again() -> None:
    packed = Packed(SOURCES)
    assert len(packed) == len(SOURCES)
    assert list(packed) == SOURCES
    assert [packed[i - len(SOURCES)] for i in range(len(SOURCES))] == SOURCES
    assert list(packed[1:6:2]) == SOURCES[1:6:2]
    assert list(Packed(packed)) == SOURCES
    assert [str(source) for source in packed] == [str(source) for source in SOURCES]


def test_an_index_beyond_the_end_is_refused_as_in_a_tuple() -> None:
    for index in (len(SOURCES), -len(SOURCES) - 1):
        with pytest.raises(IndexError):
            Packed(SOURCES)[index]
    assert list(Packed([])) == []


def test_a_copy_for_another_process_is_the_same() -> None:
    assert list(pickle.loads(pickle.dumps(Packed(SOURCES)))) == SOURCES
    assert list(copy.deepcopy(Packed(SOURCES))) == SOURCES


def test_however_many_images_there_are_the_objects_are_the_same_few() -> None:
    """Workers copy the pages of objects, not those of tensors."""

    def objects(packed: Packed) -> int:
        return sum(1 if isinstance(value, torch.Tensor) else len(value) for value in vars(packed).values())

    parts: list[Source] = [FilePart(Path("/data/train.tar"), 512 * i, 70, f"{i}.jpg") for i in range(500)]
    files: list[Source] = [Path(f"/data/{i}.jpg") for i in range(500)]
    assert objects(Packed(parts + files)) == objects(Packed(parts[:1] + files[:1])) == 3
