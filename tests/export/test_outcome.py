"""Exports as they are asked for and as they came out."""

from pathlib import Path

import pytest

from stillhouse.export.gate import Tally, Verdict
from stillhouse.export.latency import Latency
from stillhouse.export.outcome import Order, Outcome, report


def test_an_export_has_a_place(tmp_path: Path) -> None:
    order = Order("torchscript", tmp_path / "new")
    order.check()
    assert order.file == tmp_path / "new" / "student.torchscript"
    with pytest.raises(ValueError, match="there is no folder"):
        Order("pt2", tmp_path / "no" / "new").check()
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; give a folder"):
        Order("pt2", tmp_path / "file").check()
    (tmp_path / "export.json").touch()
    with pytest.raises(ValueError, match=r"export.json exists; replace it with --overwrite true"):
        Order("pt2", tmp_path).check()
    Order("pt2", tmp_path, overwrite=True).check()


def test_the_report_names_what_is_wrong(tmp_path: Path) -> None:
    verdict = Verdict(Tally(10, 9, 10), {1: Tally(10, 9, 10, 0.5), 32: Tally(problem="it takes 1 image")}, 5.0, 0)
    times = {"PyTorch": {1: Latency(1.0, 2.0, 3)}}
    outcome = Outcome(verdict, ["it is bad"], tmp_path / "student.onnx.failed", {"onnx": 5}, times, (), {"bits": 7})
    found = report(outcome, Order("onnx", tmp_path))
    assert (found["passed"], found["failures"], found["file"]) == (False, ["it is bad"], "student.onnx.failed")
    assert found["batches"] == {
        "1": {"top1": 90.0, "same_guess": 100.0, "difference": 0.5},
        "32": {"top1": 0.0, "same_guess": 0.0, "difference": 0.0, "problem": "it takes 1 image"},
    }
    assert (found["relative_difference"], found["bits"]) == (0.1, 7)
    assert found["milliseconds"] == {"PyTorch": {"1": {"p50": 1.0, "p95": 2.0, "calls": 3}}}
