"""`stillhouse export`: the file says what the run measured, and `predict` reads it; a bad one ends with code 1."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stillhouse.__main__ import main
from stillhouse.cli.export import latencies, proof
from stillhouse.export.gate import Tally, Verdict
from stillhouse.export.latency import Latency
from stillhouse.export.outcome import Outcome
from stillhouse.export.student import Student
from stillhouse.export.write import save_torchscript
from tests.helpers.commands import World, contents, done, printed, refusal

Capture = pytest.CaptureFixture[str]
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.export.latency._SECONDS", 0.0)
    monkeypatch.setattr("stillhouse.export.latency._LEAST", 2)


@pytest.mark.parametrize("kind", ["int8", "torchscript"])
def test_an_export_has_the_accuracy_of_the_run_and_predicts_like_it(
    world: World, tmp_path: Path, capsys: Capture, kind: str
) -> None:
    before = contents(world.teacher)
    words = ["export", str(world.teacher), "--to", kind, "--output", str(tmp_path / "out"), "--compiled", "false"]
    out = done(capsys, [*words, "--with_preprocessing", "true"])
    top1 = json.loads((world.teacher / "result.json").read_text())["top1"]
    report = json.loads((tmp_path / "out" / "export.json").read_text())
    assert report["top1_pytorch"] == report["batches"]["1"]["top1"] == pytest.approx(top1)
    assert f"{top1:.2f}" in out
    assert "24 held-out images" in out
    file, images = str(tmp_path / "out" / report["file"]), str(world.pictures / "val")
    trust = ["--trust", "true"] if kind == "torchscript" else []
    theirs = done(capsys, ["predict", file, images, "--format", "csv", *trust])
    ours = done(capsys, ["predict", str(world.teacher), images, "--format", "csv"])
    assert [line.split(",")[:2] for line in theirs.splitlines()] == [line.split(",")[:2] for line in ours.splitlines()]
    assert "exists; replace it with --overwrite true" in refusal(capsys, words)
    assert contents(world.teacher) == before


def test_a_damaged_file_ends_with_code_1(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = save_torchscript

    def spoilt(student: Student, *arguments: Any) -> None:
        with torch.no_grad():
            layer = next(one for one in student.model.modules() if isinstance(one, nn.Linear))
            weight = layer.weight.clone()
            layer.weight.copy_(weight.roll(1, 0))
            save(student, *arguments)
            layer.weight.copy_(weight)

    monkeypatch.setattr("stillhouse.export.export.save_torchscript", spoilt)
    words = ["export", str(world.teacher), "--to", "torchscript", "-o", str(tmp_path / "out"), "--compiled", "false"]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "failed: it is right on 0.00 % of the held-out images, the student on" in out
    assert "student.torchscript.failed, for inspection only" in out
    assert not (tmp_path / "out" / "student.torchscript").exists()


def test_data_that_moved_are_given(world: World, tmp_path: Path, capsys: Capture) -> None:
    moved = Path(shutil.copytree(world.pictures, tmp_path / "moved"))
    file = shutil.copy(world.teacher / "model.safetensors", tmp_path)
    words = ["export", f"{world.nets}:wide", "--weights", str(file), "--to", "torchscript", "--compiled", "false"]
    assert "give a folder for the export as --output" in refusal(capsys, words)
    out = done(capsys, [*words, "-o", str(tmp_path / "out"), "--data", str(moved), "--timing", "false"])
    assert "24 held-out images" in out
    assert "ms, median" not in out


def test_the_table_shows_both_accuracies_where_batches_differ() -> None:
    verdict = Verdict(Tally(10, 9, 10), {1: Tally(10, 8, 9, 0.5), 32: Tally(10, 9, 10, 0.25)}, 5.0, 9)
    times = {name: {1: Latency(1.0, 2.0, 3), 32: Latency(10.0, 20.0, 3)} for name in ("PyTorch", "int8")}
    outcome = Outcome(verdict, [], Path("x"), {"PyTorch": 2_000_000, "int8": 500_000}, times)
    rows = printed(proof(outcome, "int8", "my student"), 80)
    assert rows[-2].split() == ["PyTorch", "2.00", "90.00"]
    assert rows[-1].split() == ["int8", "0.50", "80.00", "/", "90.00", "90.00", "0.5", "0.1"]
    rows = printed(latencies(outcome, "int8"), 80)
    assert rows[-2].split() == ["PyTorch", *["1", "/", "2", "10", "/", "20"]]
    assert rows[-1].split() == ["int8", *["1", "/", "2", "10", "/", "20"]]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_row_has_one_line_at_any_width_and_nothing_is_cut(width: int) -> None:
    verdict = Verdict(Tally(10, 9, 10), {1: Tally(10, 8, 9, 1.2e-06), 32: Tally(10, 9, 10, 0.25)}, 5.0, 9)
    times = {name: {1: Latency(1234.5, 2345.6, 3), 32: Latency(98765.0, 123456.0, 3)} for name in ("PyTorch", "x")}
    times = {"PyTorch": times["PyTorch"], "compiled": times["x"], "torchscript": times["x"]}
    outcome = Outcome(verdict, [], Path("x"), {"PyTorch": 512_345_678, "torchscript": 512_345_678}, times)
    for table in (proof(outcome, "torchscript", "my student"), latencies(outcome, "torchscript")):
        rows = printed(table, width)
        assert max(map(len, rows)) <= width
        assert "…" not in "".join(rows)
        assert [row.split()[0] for row in rows if row.startswith(("  PyTorch", "  compiled", "  torchscript"))] == [
            *("PyTorch", "compiled", "torchscript")
        ]
    assert ("left out at this width: difference" in "".join(printed(proof(outcome, "torchscript", "s"), width))) == (
        width == 60
    )
