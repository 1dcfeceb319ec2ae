"""Every named data set from its published files to a trained student, as a user has it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.data import DATASETS, LoadOptions
from tests.data.named.layouts import LAYOUTS
from tests.helpers.archives import published
from tests.helpers.networks import quick_net_file


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_student_is_trained_on_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known, layout = DATASETS[name], LAYOUTS[name]
    layout.write(folder := tmp_path / "made" / (known.folder or name))
    files = layout.pack(folder, tmp_path / "server")
    monkeypatch.setitem(DATASETS, name, published(known, files))
    store = tmp_path / "store"
    if not known.archives[0].url:
        shutil.copytree(tmp_path / "server", store / name)
    monkeypatch.setattr("stillhouse.data.LoadOptions", lambda **given: LoadOptions(**given, download_to=store))
    words = f"distill --data {name} --teacher {quick_net_file(tmp_path)}:small --epochs 1".split()
    words += ["--student", words[words.index("--teacher") + 1]]
    more = f"--batch_size 6 --image_size 32 --device cpu --workers 0 --folder {tmp_path / 'runs'}".split()
    assert main([*words, *more, "--baseline", "false", "--trust_teacher", "true"]) == 0
    out = capsys.readouterr().out
    assert f"{name}: " in out
    assert "note: this is a part of" in out
    assert len(list((tmp_path / "runs").iterdir())) == 2
