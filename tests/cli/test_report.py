"""`stillhouse report`, as it is typed."""

import csv
import io
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from tests.helpers.commands import done, refusal
from tests.helpers.finished import CE, KD, write_run

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed in (0, 1):
        write_run(tmp_path / "runs", seed=seed)
        write_run(tmp_path / "runs", [CE, KD], seed)
    return tmp_path / "runs"


def test_a_table_comes_to_the_terminal(runs: Path, capsys: Capture) -> None:
    outputs = done(capsys, ["report", str(runs)])
    assert "pets: resnet56 -> resnet20" in outputs
    assert "0 (equal, n = 2)" in outputs
    assert "95 % t-interval" in outputs


def test_several_folders_may_be_given(runs: Path, capsys: Capture) -> None:
    some = [str(path) for path in sorted(runs.iterdir())[:3]]
    assert "lacks seed 1" in done(capsys, ["report", *some])


def test_what_is_not_finished_is_said(runs: Path, capsys: Capture) -> None:
    (min(runs.iterdir()) / "result.json").unlink()
    assert "note: 1 run not finished, left out: pets-resnet20" in done(capsys, ["report", str(runs)])


def test_a_damaged_run_is_left_out_named_and_counted(runs: Path, capsys: Capture) -> None:
    first, *_ = sorted(runs.iterdir())
    (first / "metrics.jsonl").write_text("{}")
    assert main(["report", str(runs), "--format", "csv"]) == 1
    out, err = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3
    assert "note: 1 of 4 runs is damaged and left out:" in err
    assert f"note: {first / 'metrics.jsonl'} is " in err
    assert main(["report", str(runs), "-o", str(runs.parent / "all.html")]) == 1
    assert "3 runs in " in " ".join(capsys.readouterr().out.split())
    for folder in runs.iterdir():
        (folder / "metrics.jsonl").write_text("{}")
    assert "; 4 damaged: " in refusal(capsys, ["report", str(runs)])


def test_what_has_no_guesses_is_counted(runs: Path, capsys: Capture) -> None:
    (min(runs.iterdir()) / "predictions.safetensors").unlink()
    assert "note: 1 run without predictions.safetensors" in done(capsys, ["report", str(runs)])


def test_latency_is_measured_where_asked(runs: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "latency" not in done(capsys, ["report", str(runs)])
    monkeypatch.setattr("stillhouse.report.latency.milliseconds", lambda *_: 1.25)
    outputs = done(capsys, ["report", str(runs), "--latency", "true"])
    assert "1.25 ms" in outputs
    assert "latency: median time of a forward pass of one image" in outputs


def test_each_chart_is_a_file_where_a_folder_is_given(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    said = done(capsys, ["report", str(runs), "--pictures", str(tmp_path / "new" / "charts")])
    files = {file.name for file in (tmp_path / "new" / "charts").iterdir()}
    for name in {file.rpartition(".")[0] for file in files}:
        assert {f"{name}.svg", f"{name}.png", f"{name}.pdf"} <= files
        assert name in " ".join(said.split())
    assert any(name.startswith("top-1-by-epoch") for name in files)


def test_data_for_programs_come_alone(runs: Path, capsys: Capture) -> None:
    (min(runs.iterdir()) / "result.json").unlink()
    assert main(["report", str(runs), "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(out)))) == 3
    assert "not finished" in err


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("r.html", b"<!doctype html>"),
        ("r.csv", b"comparison,"),
        ("r.md", b"###"),
        ("r.tex", b"%"),
        ("r.json", b"["),
        ("r.parquet", b"PAR1"),
    ],
)
def test_the_ending_of_the_file_says_the_format(runs: Path, name: str, begins: bytes, capsys: Capture) -> None:
    target = runs.parent / name
    assert f"4 runs in {target}" in done(capsys, ["report", str(runs), "-o", str(target)])
    assert target.read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--format", "html"], "--format html is written to a file; add -o report.html"),
        (["--format", "parquet"], "--format parquet is written to a file; add -o report.parquet"),
        (["-o", "report.xls"], "--output report.xls has none of the suffixes .html"),
        (["-o", "/no/such/folder/report.html"], "--output: there is no folder /no/such/folder; create it first"),
        (["-o", "."], "--output . is a folder; give a file, such as report.html"),
        (["--baseline", "AT"], "--baseline: there are no runs of 'AT'"),
        (["--format", "xls"], "--format takes one of"),
    ],
)
def test_what_cannot_be_done_is_refused(runs: Path, words: list[str], why: str, capsys: Capture) -> None:
    assert why in refusal(capsys, ["report", str(runs), *words])
