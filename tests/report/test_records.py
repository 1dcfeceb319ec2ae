"""Finished runs are found and read; what is not finished is counted, what is damaged refused."""

from pathlib import Path

import pytest
import yaml

from stillhouse.report.records import read_record, read_records
from tests.helpers.finished import CE, KD, record, write_run

KEPT = Path(__file__).parents[1] / "runs_of_0_1_0"


def test_a_distillation_says_all_that_a_report_needs(tmp_path: Path) -> None:
    run = record(tmp_path, [CE, KD], 3, student="my/nets.py:small")
    assert run.is_taught
    assert (run.data, run.teacher, run.student, run.seed) == ("pets", "resnet56", "nets.py:small", 3)
    assert (run.methods, run.teacher_hash) == ((CE, KD), "7ea0")
    assert (run.top1, run.best, run.number("seconds")) == (60, 60, 75)
    assert [row["top1"] for row in run.rows] == [50, 60]
    assert run.predictions is not None
    assert run.predictions.correct.tolist() == [True, True, True, False]


def test_a_network_by_itself_learns_by_the_cross_entropy(tmp_path: Path) -> None:
    run = record(tmp_path)
    assert not run.is_taught
    assert (run.student, run.teacher, run.teacher_hash, run.methods) == ("resnet20", None, None, (CE,))


def test_runs_of_version_0_1_0_are_read() -> None:
    taught, alone = read_records([KEPT]).records
    assert (taught.teacher, taught.student, taught.data, taught.seed) == ("resnet8", "resnet8", "digits", 0)
    assert taught.predictions is None
    assert taught.number("parameters") is None
    assert alone.top1 == pytest.approx(53.2, abs=0.01)


def test_folders_of_folders_are_searched_and_each_run_is_read_once(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "runs" / "bench", [CE, KD]), write_run(tmp_path / "runs")
    (tmp_path / "runs" / "teacher_cache").mkdir()
    found = read_records([one, tmp_path, tmp_path / "runs"])
    assert {run.folder.name for run in found.records} == {one.name, two.name}
    assert len(found.records) == 2


def test_what_is_not_finished_is_counted(tmp_path: Path) -> None:
    write_run(tmp_path)
    unfinished = write_run(tmp_path, [CE, KD])
    (unfinished / "result.json").unlink()
    unnamed = write_run(tmp_path, seed=2)
    (unnamed / "config.yaml").write_text("{}")
    found = read_records([tmp_path])
    assert len(found.records) == 1
    assert (found.unfinished, found.unnamed) == ([unfinished], [unnamed])


def test_a_damaged_run_stops_no_other(tmp_path: Path) -> None:
    good, cut = write_run(tmp_path), write_run(tmp_path, [CE, KD])
    (cut / "result.json").write_text("{")
    found = read_records([tmp_path])
    assert [one.folder for one in found.records] == [good]
    assert list(found.damaged) == [cut]
    assert found.damaged[cut].startswith(f"{cut / 'result.json'} is damaged (")
    assert found.count == 2


def test_where_all_are_damaged_it_is_refused_with_the_reason(tmp_path: Path) -> None:
    for folder in (write_run(tmp_path), write_run(tmp_path, seed=1)):
        (folder / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match=r"no finished run .*; 2 damaged: .*metrics\.jsonl is missing; .*; and 1 more"):
        read_records([tmp_path])


def test_where_there_is_none_it_is_refused(tmp_path: Path) -> None:
    (write_run(tmp_path) / "result.json").unlink()
    with pytest.raises(ValueError, match=r"no finished run .* in .*; 1 not finished"):
        read_records([tmp_path])
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere"):
        read_records([tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[1, 2]", "holds a list"),
        ("{a: [", "not YAML"),
        (yaml.safe_dump({"model": "x", "seed": "0", "data": "d", "epochs": 1}), "seed is '0'"),
        (
            yaml.safe_dump({"student": "x", "teacher": "t", "methods": 3, "seed": 0, "data": "d", "epochs": 1}),
            "methods is 3",
        ),
    ],
)
def test_a_damaged_configuration_is_refused(tmp_path: Path, content: str, why: str) -> None:
    folder = write_run(tmp_path)
    (folder / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"config.yaml is damaged \(.*{why}"):
        read_record(folder)


def test_a_configuration_that_is_no_longer_what_the_run_wrote_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.05", "lr: 0.06"))
    with pytest.raises(ValueError, match=r"config\.yaml is not what the run wrote"):
        read_record(folder)


def test_a_run_without_its_epochs_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match=r"metrics\.jsonl is missing"):
        read_record(folder)


def test_damaged_guesses_are_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    content = bytearray((folder / "predictions.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "predictions.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="not what the run wrote"):
        read_record(folder)
