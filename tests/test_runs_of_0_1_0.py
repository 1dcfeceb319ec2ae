"""Runs that version 0.1.0 finished are still read: a teacher, and a student that was distilled from it."""

import json
import shutil
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.analysis import plots
from stillhouse.training.run_files import read_result, read_rows
from tests.helpers.networks import quick_net_file

KEPT = Path(__file__).parent / "runs_of_0_1_0"
TEACHER, STUDENT = "digits-resnet8-seed0-73fd6520", "digits-resnet8-from-resnet8-CE+KD+AT-seed0-cbd6be9b"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A copy of them, so that they stay as they are."""
    return Path(shutil.copytree(KEPT, tmp_path / "runs"))


@pytest.mark.parametrize("name", [TEACHER, STUDENT])
def test_they_are_evaluated_to_what_their_result_says(
    runs: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(runs / name), "--data", "digits", "--device", "cpu"]) == 0
    result = json.loads((runs / name / "result.json").read_text())
    outputs = capsys.readouterr().out
    assert f" {result['top1']:.2f}" in outputs
    assert f"top-5 {result['top5']:.2f} %   cross-entropy {result['test_loss']:.4f}" in outputs
    assert read_result(runs / name) == result
    assert [row["epoch"] for row in read_rows(runs / name)] == [1, 2]


def test_one_is_inspected(runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "save", lambda figure, path, formats: None)  # drawing takes seconds
    words = ["inspect", str(runs / STUDENT), "--teacher", str(runs / TEACHER), "--images", "32", "--device", "cpu"]
    assert main(words) == 0
    outputs = capsys.readouterr().out
    assert "resnet8 from resnet8 on digits, 359 test images" in outputs
    summary = (runs / STUDENT / "inspection" / "summary.csv").read_text()
    assert "top-1 %,53.2" in summary
    assert "27.298" in summary


def test_one_teaches(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nets = quick_net_file(tmp_path)
    words = f"distill --teacher {runs / TEACHER} --student {nets}:small --methods CE,KD --baseline false --epochs 1"
    assert main([*words.split(), "--folder", str(tmp_path / "new"), "--device", "cpu", "--batch_size", "256"]) == 0
    assert "53.20" in capsys.readouterr().out  # the teacher's top-1
    (run,) = (path for path in (tmp_path / "new").iterdir() if path.name != "teacher_cache")
    assert read_result(run)["epochs"] == 1
