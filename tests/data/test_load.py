"""`load` itself; the formats have their own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stillhouse.data import DATASETS, at_home, load


def test_misspelt_names_get_the_nearest_and_the_list() -> None:
    with pytest.raises(ValueError, match=r"called 'cifar-100'. Did you mean cifar100.* Data sets: digits, "):
        load("cifar-100")
    with pytest.raises(ValueError, match=r"called 'Digit'. Did you mean digits\?"):
        load("Digit")
    with pytest.raises(ValueError, match=f"called 'qqqq'. Data sets: {', '.join(DATASETS)}; or pass"):
        load("qqqq")


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"there is no folder or file {tmp_path}/nowhere"):
        load(tmp_path / "nowhere")


def test_options_reach_the_splits() -> None:
    data = load("digits", batch_size=100, seed=3, drop_last=True, flip=True, image_size=16, validation=0.1)
    assert data.train.steps == len(data.train) // 100
    assert data.train.num_views == 162
    assert next(data.train.epoch(0, "cpu")).images.shape == (100, 3, 16, 16)
    assert next(data.train.epoch(0, "cpu")).seed == data.info.seed == 3
    assert data.describe().startswith("digits: 1,295 training, 143 validation and 359 test images, 16x16 pixels, 10")


def test_a_user_without_a_home_finds_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "expanduser", lambda path: (_ for _ in ()).throw(RuntimeError("no home")))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = tmp_path / f"stillhouse-{os.getuid()}"
    assert at_home(Path("~/.cache")) == own
    assert own.stat().st_mode & 0o777 == 0o700
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    own.rename(tmp_path / f"stillhouse-{os.getuid()}")
    elsewhere = at_home(Path("~/.cache"))  # that one is somebody else's
    assert elsewhere.is_dir()
    assert elsewhere != tmp_path / f"stillhouse-{os.getuid()}"
