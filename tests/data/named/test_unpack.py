from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from stillhouse.data.named.unpack import Limits, unpack
from tests.helpers.archives import tar, zipped

LIMITS = Limits(files=20, size=10_000)


def folder(root: Path) -> Path:
    (root / "birds" / "images").mkdir(parents=True)
    (root / "birds" / "list.txt").write_text("1 a\n")
    (root / "birds" / "images" / "a.jpg").write_bytes(bytes(3000))
    (root / "beside.txt").write_text("not of the folder")
    return root


def below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


@pytest.mark.parametrize("name", ["a.tgz", "a.tar", "a.zip"])
def test_the_folder_of_that_name_is_unpacked(tmp_path: Path, name: str) -> None:
    archive = tmp_path / name
    (zipped if name == "a.zip" else tar)(folder(tmp_path / "made"), archive)
    (store := tmp_path / "store").mkdir()
    unpack([archive], store / "birds", LIMITS)
    assert below(store) == ["birds", "birds/images", "birds/images/a.jpg", "birds/list.txt"]
    assert (store / "birds" / "images" / "a.jpg").read_bytes() == bytes(3000)
    assert stat.S_IMODE((store / "birds").stat().st_mode) == 0o755


def test_archives_without_that_folder_and_other_files_share_one(tmp_path: Path) -> None:
    tar(folder(tmp_path / "made") / "birds", tmp_path / "a.tar.gz")
    (tmp_path / "setid.mat").write_bytes(b"1")
    (store := tmp_path / "store").mkdir()
    unpack([tmp_path / "a.tar.gz", tmp_path / "setid.mat"], store / "flowers", LIMITS)
    assert below(store / "flowers") == ["images", "images/a.jpg", "list.txt", "setid.mat"]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type, about.linkname = kind, link
    return about


HOSTILE = {
    "upwards": (member("birds/../../evil"), r"leads out of its folder"),
    "absolute": (member("/tmp/evil"), r"leads out of its folder"),
    "symlink": (member("birds/evil", tarfile.SYMTYPE, "/etc"), r"holds a link"),
    "hard link": (member("birds/evil", tarfile.LNKTYPE, "../../evil"), r"holds a link"),
    "device": (member("birds/evil", tarfile.CHRTYPE), r"holds a device"),
    "pipe": (member("birds/evil", tarfile.FIFOTYPE), r"holds a device"),
    "twice": (member("birds/list.txt"), r"holds birds/list.txt twice"),
    "under a file": (member("birds/list.txt/evil"), r"cannot be unpacked"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_is_left_of_a_hostile_archive(tmp_path: Path, kind: str) -> None:
    evil, message = HOSTILE[kind]
    folder(tmp_path / "made")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "made" / "birds", "birds")
        archive.addfile(evil, io.BytesIO())
    (store := tmp_path / "store" / "inner").mkdir(parents=True)
    before = below(tmp_path)
    with pytest.raises(ValueError, match=message):
        unpack([tmp_path / "a.tar"], store / "birds", LIMITS)
    assert below(tmp_path) == before


def test_members_below_a_link_are_never_reached(tmp_path: Path) -> None:
    (outside := tmp_path / "outside").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(member("birds", tarfile.SYMTYPE, str(outside)))
        archive.addfile(member("birds/evil"), io.BytesIO())
    (tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match="holds a link"):
        unpack([tmp_path / "a.tar"], tmp_path / "store" / "birds", LIMITS)
    assert below(outside) == []


@pytest.mark.parametrize(
    ("name", "mode"), [("../evil", 0), ("/evil", 0), ("birds/evil", stat.S_IFLNK), ("birds/evil", stat.S_IFIFO)]
)
def test_nothing_is_left_of_a_hostile_zip(tmp_path: Path, name: str, mode: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        about = zipfile.ZipInfo(name)
        about.external_attr = (mode | 0o644) << 16
        archive.writestr(about, "/etc")
    (store := tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match=r"leads out of its folder|holds a link or device"):
        unpack([tmp_path / "a.zip"], store / "birds", LIMITS)
    assert below(tmp_path) == ["a.zip", "store"]


@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
def test_more_than_the_limits_is_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / name
    (zipped if name == "a.zip" else tar)(folder(tmp_path / "made"), archive)
    (store := tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match=r"a\.\w+ unpacks to more than 2,999 bytes: the file may be malicious"):
        unpack([archive], store / "birds", Limits(20, 2_999))
    with pytest.raises(ValueError, match=r"a\.\w+ holds more than 2 files"):
        unpack([archive], store / "birds", Limits(2, 10_000))
    assert below(store) == []


def damaged(content: bytes, how: str) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle] if how == "cut" else content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    )


@pytest.mark.parametrize("how", ["cut", "changed"])
@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
def test_damaged_archives_leave_nothing(tmp_path: Path, name: str, how: str) -> None:
    made = folder(tmp_path / "made")
    (made / "birds" / "images" / "a.jpg").write_bytes(os.urandom(3000))
    archive = tmp_path / name
    (zipped if name == "a.zip" else tar)(made, archive)
    archive.write_bytes(damaged(archive.read_bytes(), how))
    (store := tmp_path / "store").mkdir()
    if name == "a.zip" and how == "cut":  # its list of members is at the end
        archive.rename(archive := tmp_path / "a.tar.gz")
    with pytest.raises(ValueError, match=r"is damaged \(.*get it again|cannot be read"):
        unpack([archive], store / "birds", LIMITS)
    assert below(store) == []


def test_a_tar_cut_off_between_members_is_damaged(tmp_path: Path) -> None:
    tar(folder(tmp_path / "made"), tmp_path / "a.tar")
    content = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content)[:-8])  # without length and checksum
    (store := tmp_path / "store").mkdir()
    with pytest.raises(ValueError, match="is damaged"):
        unpack([tmp_path / "a.tar.gz"], store / "birds", LIMITS)


def test_what_a_killed_process_left_is_removed_and_what_is_there_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar(folder(tmp_path / "made"), tmp_path / "a.tgz")
    (store := tmp_path / "store").mkdir()

    def killed(folder: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setattr(shutil, "rmtree", lambda *args, **more: None)
        with pytest.raises(KeyboardInterrupt):
            unpack([tmp_path / "a.tgz"], store / "birds", LIMITS)
    assert not (store / "birds").exists()
    assert len(below(store)) > 1
    unpack([tmp_path / "a.tgz"], store / "birds", LIMITS)
    assert [path.name for path in store.iterdir()] == ["birds"]
    with pytest.raises(ValueError, match="is there and lacks files of the data set: delete it"):
        unpack([tmp_path / "a.tgz"], store / "birds", LIMITS)
