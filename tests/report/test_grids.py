"""Grids among runs: read strictly, and shown on the page."""

from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.report.compare import compare
from stillhouse.report.grids import noted, read_grids
from stillhouse.report.page import page
from stillhouse.report.records import read_records
from tests.helpers.finished import CE, KD, write_run

HEADING = "KD.temperature,lr,seed,validation_top1,chosen,test_top1,run"


def write_grid(root: Path) -> Path:
    """Write two runs of a grid and the grid's folder, and return its table."""
    runs = [write_run(root, [CE, KD], top1=(50, 61), lr=lr, validation=0.1).name for lr in (0.1, 0.2)]
    table = root / "grid-pair-0a1b" / "cells.csv"
    table.parent.mkdir()
    table.write_text(f"{HEADING}\n4,0.1,0,61,yes,61,{runs[0]}\n4,0.2,0,61,,,{runs[1]}\n<b>,0.3,0,,,,\n")
    (table.parent / "heat_map.svg").write_text("<svg onload='alert(1)'/>")
    return table


def test_a_grid_is_read_and_its_runs_say_that_they_are_of_one(tmp_path: Path) -> None:
    write_grid(tmp_path)
    records = read_records([tmp_path]).records
    (grid,) = read_grids([tmp_path, tmp_path], records)
    assert list(grid.settings) == ["KD.temperature", "lr"]
    assert grid.runs == {run.folder.name for run in records}
    for group in noted(compare(records), [grid]):
        assert group.notes[-1].startswith("of the grid grid-pair-0a1b, which chooses by validation images: 1 run")


def test_the_page_shows_the_heat_map_and_the_cells(tmp_path: Path) -> None:
    write_grid(tmp_path)
    records = read_records([tmp_path]).records
    content = page(compare(records), read_grids([tmp_path], records))
    assert 'alt="Heat map of grid-pair-0a1b"' in content
    assert content.count("data:image/svg+xml;base64,") == 1
    assert "validation top-1 %" in content
    assert "<td>&lt;b&gt;</td>" in content
    assert "onload" not in content


def test_a_choice_among_students_is_shown_with_its_own_picture(tmp_path: Path) -> None:
    folder = write_grid(tmp_path).parent
    (folder / "heat_map.svg").rename(folder / "pareto.svg")
    folder.rename(tmp_path / "pick-digits-0a1b")
    records = read_records([tmp_path]).records
    content = page(compare(records), read_grids([tmp_path], records))
    assert 'alt="Accuracy against latency of pick-digits-0a1b"' in content


def test_cells_that_were_stopped_early_say_when(tmp_path: Path) -> None:
    table = write_grid(tmp_path)
    heading, *lines = [line.rsplit(",", 1) for line in table.read_text().splitlines()]
    ends = [("stopped_after", "stopped_top1"), ("", ""), ("", ""), ("3", "23.456")]
    text = [",".join([front, *end, run]) for (front, run), end in zip([heading, *lines], ends, strict=True)]
    table.write_text("\n".join(text) + "\n")
    records = read_records([tmp_path]).records
    content = page(compare(records), read_grids([tmp_path], records))
    assert '<button type="button">stopped after</button>' in content
    assert ">23.46</td>" in content


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("61,yes", "62,yes", "has other numbers"),
        ("yes,61", "yes,61.5", "has other numbers"),
        ("61,yes", "nan,yes", "a line is 4, 0.1, 0, nan"),
        ("61,yes", "x,yes", "could not convert"),
        ("yes", "no", "a line is 4, 0.1, 0, 61, no"),
        (",run\n", ",dir\n", "other columns"),
        ("4,0.2,0,61", "4,0.2,0,61,61", "different lengths"),
    ],
)
def test_a_damaged_table_is_refused(
    tmp_path: Path, old: str, new: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_grid(tmp_path)
    table.write_text(table.read_text().replace(old, new, 1))
    assert main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "cells.csv is damaged" in error
    assert why in error
