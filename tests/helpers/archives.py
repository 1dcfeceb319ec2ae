"""Archives of published data sets, made small: packed as their authors pack them, with checksums of their own."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from stillhouse.data import Folder, InMemory, Split
from stillhouse.data.decode import rgb
from stillhouse.data.named import Named

Pack = Callable[[Path, Path], object]  # the folder to pack, and the file to write


def photograph(path: Path, number: int, width: int = 40, height: int = 32, colour: int = 0) -> None:
    """Write a small JPEG or PNG in which one channel is brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 90, (height, width, 3), dtype=np.uint8)
    pixels[..., colour % 3] += 120
    Image.fromarray(pixels).save(path, "PNG" if path.suffix == ".png" else "JPEG")


def tar(folder: Path, archive: Path, *names: str) -> None:
    """Pack what lies in a folder; names that end in .tar stay uncompressed."""
    with tarfile.open(archive, "w" if archive.suffix == ".tar" else "w:gz") as packed:
        for name in names or sorted(path.name for path in folder.iterdir()):
            packed.add(folder / name, name)


def zipped(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))


def published(named: Named, files: Sequence[Path]) -> Named:
    """Return the data set as if these files were the published ones."""
    by_name = {path.name: path for path in files}
    archives = tuple(
        dataclasses.replace(
            archive,
            url=by_name[archive.name].as_uri() if archive.url else "",
            checksum=f"md5:{hashlib.md5(by_name[archive.name].read_bytes()).hexdigest()}",
            size=by_name[archive.name].stat().st_size,
        )
        for archive in named.archives
    )
    return dataclasses.replace(named, archives=archives)


def with_member(archive: Path, member: tarfile.TarInfo, content: bytes = b"") -> None:
    """Add a member to a packed tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(archive) as old, tarfile.open(fileobj=buffer, mode="w:gz") as new:
        for one in old:
            new.addfile(one, old.extractfile(one) if one.isreg() else None)
        member.size = len(content)
        new.addfile(member, io.BytesIO(content))
    archive.write_bytes(buffer.getvalue())


def assert_same(ours: Split, theirs: Sequence[tuple[object, int]]) -> None:
    """Compare images in their order, pixel by pixel, and labels with a data set of torchvision."""
    assert ours.labels.tolist() == [label for _, label in theirs]
    if isinstance(ours, InMemory):
        pixels = list(ours.images.numpy())
    else:
        assert isinstance(ours, Folder)
        pixels = [np.asarray(rgb(path, str(path))) for path in ours.paths]
    for mine, (image, _) in zip(pixels, theirs, strict=True):
        assert np.array_equal(mine, np.asarray(image))
