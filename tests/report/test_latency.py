"""Latency: measured once for each network, and never of a network whose code a run names."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import stillhouse.export.latency as clock
from stillhouse.report import latency
from stillhouse.report.compare import compare
from stillhouse.report.latency import with_latency
from stillhouse.report.tables import grid_of
from tests.helpers.finished import CE, KD, record


def test_each_network_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, int]] = []

    def measure(*network: object) -> float:
        asked.append(network)  # type: ignore[arg-type] # of these types
        return 2.5

    monkeypatch.setattr(latency, "milliseconds", measure)
    runs = [record(tmp_path), record(tmp_path, [CE, KD]), record(tmp_path, [CE, KD], student="my.py:net")]
    found, left_out = with_latency(runs)
    assert asked == [("resnet20", 3, 32)]
    assert left_out == ["my.py:net"]
    assert [run.number("latency_ms") for run in found] == [2.5, 2.5, None]
    grids = [grid_of(group) for group in compare(found)]
    assert [row[grids[0].headings.index("latency")].text for row in grids[0].rows] == ["2.5 ms", "2.5 ms"]
    assert any("one image in float32, on " in note for note in grids[0].notes)
    assert all("latency" not in grid.headings for grid in grids[1:])


def test_a_larger_network_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "_SECONDS", 0.02)
    monkeypatch.setattr(clock, "time", SimpleNamespace(perf_counter=time.process_time))  # whatever else runs here
    small, large = (latency.milliseconds(name, 10, 32) for name in ("resnet8", "resnet56"))
    assert 0 < small < large
