from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stillhouse.data import DATASETS, load
from stillhouse.data.named.facts import Named, holds
from stillhouse.data.named.fetch import Archive
from tests.data.named.layouts import LAYOUTS, one_tar
from tests.helpers.archives import published

WITH_FILES = [name for name in DATASETS if name in LAYOUTS]


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Named:
    """A named data set whose published files are small ones in tmp_path / "server"."""
    known, layout = DATASETS[request.param], LAYOUTS[request.param]
    layout.write(folder := tmp_path / "made" / (known.folder or known.name))
    known = published(known, layout.pack(folder, tmp_path / "server"))
    monkeypatch.setitem(DATASETS, known.name, known)
    return known


def by_name(known: Named, store: Path) -> str:
    return load(known.name, download_to=store).fingerprint


@pytest.mark.parametrize("made", WITH_FILES, indirect=True)
def test_the_published_files_become_what_their_unpacked_folder_is(made: Named, tmp_path: Path) -> None:
    store = tmp_path / "store"
    if made.archives[0].url:
        fingerprint = by_name(made, store)
    else:
        with pytest.raises(
            ValueError, match=rf"{made.name} cannot be downloaded without a login: get .* from {made.page}"
        ):
            by_name(made, store)
        shutil.copytree(tmp_path / "server", store / made.name, dirs_exist_ok=True)
        fingerprint = by_name(made, store)
    whole = load(tmp_path / "made" / (made.folder or made.name))
    assert (whole.name, whole.fingerprint) == (made.name, fingerprint)
    assert sum("this is a part of" in note for note in whole.notes) == 1
    outside = {path.name for path in tmp_path.iterdir()} - {"made", "server", "store"}
    assert outside == set()


@pytest.mark.parametrize("how", ["cut", "changed"])
@pytest.mark.parametrize("made", WITH_FILES, indirect=True)
def test_files_that_are_cut_off_or_changed_are_refused(made: Named, tmp_path: Path, how: str) -> None:
    server, store = tmp_path / "server", tmp_path / "store"
    for archive in made.archives:
        whole = (server / archive.name).read_bytes()
        middle = len(whole) // 2
        broken = whole[:middle] + (b"" if how == "cut" else bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        if archive.url:
            (server / archive.name).write_bytes(broken)
            refused(made, store, "is not the published file")  # when it is downloaded
        shutil.copytree(server, store / (made.store or made.name), dirs_exist_ok=True)
        (store / (made.store or made.name) / archive.name).write_bytes(broken)
        refused(made, store, "is damaged or another file than the published one")  # where it was put
        (server / archive.name).write_bytes(whole)
        shutil.rmtree(store)


def refused(made: Named, store: Path, why: str) -> None:
    with pytest.raises(ValueError, match=rf"{why}: its checksum is md5:\w+, not md5:\w+; get"):
        by_name(made, store)
    assert {path.name for path in store.iterdir()} == {Path(made.store or made.name).parts[0]}  # nothing is unpacked


def test_what_every_data_set_says_of_itself_is_complete() -> None:
    for name, known in DATASETS.items():
        assert name == known.name
        assert known.page.startswith("http")
        assert all((known.title, known.licence, known.pixels, known.images[0], known.images[2], known.classes)), name
        for archive in known.archives:
            assert archive.checksum.startswith(("md5:", "sha256:")), name
            assert archive.size, name
            assert archive.is_kept or (known.unpacked and known.files), name


def test_the_page_about_data_sets_has_a_true_line_for_each() -> None:
    page = (Path(__file__).parents[3] / "docs" / "data_sets.md").read_text()
    lines = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert list(lines) == list(DATASETS)
    for name, one in DATASETS.items():
        assert f"| [{one.title}]({one.page}) | {' + '.join(f'{n:,}' for n in one.images if n)} |" in lines[name]
        assert f"| {one.classes:,} | {one.pixels} |" in lines[name]
        assert lines[name].endswith(f"| {one.left_out or 'nothing'} |")


def known(**changes: object) -> Named:
    facts: dict[str, object] = {"name": "birds", "title": "Birds (Me, 2026)", "images": (5, 0, 2), "classes": 2}
    facts |= {"pixels": "8x8", "licence": "none", "page": "https://birds.test", "read": str, "folder": "birds"}
    return Named(**{**facts, **changes})  # type: ignore[arg-type]


def test_a_part_of_a_data_set_is_called_one() -> None:
    assert known().differs((5, 0, 2)) == []
    assert known(images=(1, 1, 2)).differs([5, 0, 1]) == [
        "this is a part of Birds: 5 training images and 1 test image, published are 1 training image and 1 validation "
        "image and 2 test images"
    ]


def test_the_way_out_names_every_file_that_needs_a_login(tmp_path: Path) -> None:
    files = (Archive("a.tar", "", "md5:0", 3 * 10**9), Archive("b.tar", "", "md5:0", 2_500_000))
    with pytest.raises(
        ValueError, match=rf"get a.tar \(3.0 GB\), b.tar \(2 MB\) from https://birds.test and put them into {tmp_path}/"
    ):
        known(archives=files).get(tmp_path, str)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "made" / "birds").mkdir(parents=True)
    (tmp_path / "made" / "birds" / "other").touch()
    files = one_tar("birds.tgz")(tmp_path / "made" / "birds", tmp_path)
    archives = (Archive("birds.tgz", "http://127.0.0.1:9", "", 1),)
    one = known(archives=archives, is_in=holds("images"), unpacked=10, files=10)
    (tmp_path / "store" / "birds").mkdir(parents=True)
    one = known(archives=archives, is_in=holds("images"), unpacked=10, files=10, store="archives", folder="there")
    (tmp_path / "store" / "archives").mkdir()
    files[0].rename(tmp_path / "store" / "archives" / "birds.tgz")
    with pytest.raises(ValueError, match=r"there lacks files of birds: delete it and try again"):
        one.get(tmp_path / "store", str)
