"""webdataset's tar archives: 000123.jpg and 000123.cls (or .json with a label) one after another, read in place."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from ...spelling import counted
from ..decode import FilePart
from ..folders.inventory import some
from ..folders.tree import SUFFIXES
from ..options import LoadOptions
from ..splits import SplitName
from .columns import LABELS, asked_for, named
from .labels import Label, plain
from .shards import check_file
from .table import Table

_LARGEST = 1 << 20  # bytes of a label


@dataclass
class _Sample:
    """The members of an archive that have one name before the first dot."""

    image: FilePart | None = None
    label: Label = None
    others: set[str] = field(default_factory=set)  # suffixes


def read(table: Table, by_split: dict[SplitName, list[Path]], options: LoadOptions) -> Table:
    """Read the archives of each split into an empty table, and return it.

    Raises:
        ValueError: If an archive is damaged, or holds no images with labels.
    """
    for path, rows in table.each_file(by_split):
        samples = _samples(path, options.label_column)
        pictured = {key: sample for key, sample in samples.items() if sample.image is not None}
        if not pictured:
            raise ValueError(f"{path} holds no images ({_suffixes(samples)}): each needs 000123.jpg and 000123.cls")
        if all(sample.label is None for sample in pictured.values()):
            raise ValueError(_without_labels(path, pictured))
        for sample in pictured.values():
            assert sample.image is not None
            rows.add(sample.image, sample.label)
        if len(pictured) < len(samples):
            left = counted(len(samples) - len(pictured), "sample")
            table.notes.append(f"left out {left} of {path.name} without an image")
    return table


def _samples(path: Path, label_column: str | None) -> dict[str, _Sample]:
    check_file(path)
    samples: dict[str, _Sample] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                stem, _, suffix = file.partition(".")
                if not member.isreg() or member.sparse is not None or not stem:
                    continue
                sample = samples.setdefault(f"{folder}/{stem}", _Sample())
                suffix = suffix.lower()
                if f".{suffix.rpartition('.')[2]}" in SUFFIXES:
                    name = f"{member.name} in {path}"
                    sample.image = sample.image or FilePart(path, member.offset_data, member.size, name)
                elif suffix in ("cls", "json") and (sample.label is None or suffix == "cls"):
                    sample.label = _label(archive, member, suffix, f"{member.name} in {path}", label_column)
                else:
                    sample.others.add(suffix)
    except (tarfile.TarError, OSError, EOFError) as error:
        with path.open("rb") as start:
            is_zipped = start.read(2) == b"\x1f\x8b"
        way_out = "it is compressed: gunzip it" if is_zipped else f"it is damaged ({error}): get it again"
        raise ValueError(f"{path} cannot be read as a tar archive; {way_out}") from error
    return samples


def _label(
    archive: tarfile.TarFile, member: tarfile.TarInfo, suffix: str, where: str, label_column: str | None
) -> Label:
    file = archive.extractfile(member)
    if file is None or member.size > _LARGEST:
        raise ValueError(f"{where} holds {member.size:,} bytes; a class is expected")
    text = file.read().decode(errors="replace").strip()
    if suffix == "cls":
        return plain(_number(text), (), where)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON ({error})") from None
    if not isinstance(content, dict):
        return plain(content, (), where)
    keys = [key for key in content if isinstance(key, str)]
    found = [asked_for(keys, label_column, "--label_column", where)] if label_column else named(keys, LABELS)
    return plain(content[found[0]], (), where) if found else None


def _number(text: str) -> str | int:
    is_number = text.removeprefix("-").isdecimal() and text.isascii() and str(int(text[:18])) == text
    return int(text) if is_number else text


def _suffixes(samples: dict[str, _Sample]) -> str:
    found = sorted({f".{suffix}" for sample in samples.values() for suffix in sample.others})
    return some(found) or "it is empty"


def _without_labels(path: Path, samples: dict[str, _Sample]) -> str:
    folders = sorted({key.rpartition("/")[0].rpartition("/")[2] for key in samples} - {"", "."})
    if len(folders) > 1:
        return (
            f"{path} holds images in folders ({some(folders)}) without .cls or .json files: unpack it (tar -xf {path}) "
            "and pass the folder"
        )
    return f"{path} holds {counted(len(samples), 'image')} and no labels: each 000123.jpg needs a 000123.cls or .json"
