"""The README's tables are those of `results/benches`, and these hold what was run."""

import json
import runpy
from pathlib import Path

import pytest

from stillhouse.cli.arguments import parse
from stillhouse.cli.options.bench import Bench
from stillhouse.cli.words.seeds import read_seeds
from stillhouse.report.compare import compare
from stillhouse.report.recipes import FOLDER
from stillhouse.report.records import read_records
from tests.helpers.finished import CE, KD, write_run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
SCRIPT = runpy.run_path(str(ROOT / "docs" / "results.py"))
KEPT = sorted((ROOT / "results" / "benches").glob("*.json"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed, top1 in enumerate((60.0, 62.0, 61.0)):
        write_run(tmp_path / "runs", seed=seed, top1=(70, top1), lr=0.1)
        write_run(tmp_path / "runs", [CE, KD], seed, (50, top1 + 1 + seed), lr=0.1, result={"commit": "0123456789"})
    write_run(tmp_path / "runs", student="resnet56", weights_hash="7ea0", lr=0.1)
    return tmp_path / "runs"


def test_the_readme_has_the_tables_of_what_is_kept(tmp_path: Path) -> None:
    page = README.read_text()
    assert SCRIPT["with_tables"](page) == page, "python docs/results.py"
    for path in KEPT:
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace('"top1": ', '"top1": 1'))
        assert SCRIPT["with_tables"](page, tmp_path) != page


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_each_is_of_the_bench_in_the_file_of_its_name(path: Path) -> None:
    text = path.read_text()
    content = json.loads(text)
    command = parse("bench", Bench, ["--config", str(FOLDER / "benches" / f"{path.stem}.yaml")])
    names = ("epochs", "image_size", "train_fraction", "schedule", "lr_warmup", "lr", "batch_size")
    run = command.run
    asked = {**vars(run.data), **vars(run.split), **vars(run.config), **vars(run.length)}
    assert {name: content["config"][name] for name in names} == {name: asked[name] for name in names}
    seeds = read_seeds(command.bench.seeds, 0)
    assert {run["seed"] for run in content["runs"]} == set(seeds)
    assert len(content["runs"]) == len(seeds) * len({run["methods"] for run in content["runs"]})
    for one in content["runs"]:
        for name in ("top1", "best_top1", "device", "torch", "commit", "data_hash", "weights_hash", "seconds"):
            assert one[name], (one["folder"], name)
        assert one["teacher_hash"] is None or one["teacher_top1"] or content["teachers"]
    assert '"/' not in text


def test_what_is_kept_is_what_a_report_says(runs: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept" / "it.json"
    SCRIPT["keep"](runs, target)
    assert str(tmp_path) not in target.read_text()
    content, records = SCRIPT["read"](target)
    assert content["hours"] == round(3 * 75 / 3600, 2)
    (kept,), (group,) = compare(records), compare(read_records([runs]).records)
    assert kept.title == group.title
    for one, other in zip(kept.entries, group.entries, strict=True):
        assert (one.name, one.top1, one.best, one.std) == (other.name, other.top1, other.best, other.std)
        assert one.to_baseline == other.to_baseline
    table = SCRIPT["section"](target)
    assert "resnet56 (60.00 %) -> resnet20**: epochs 2, lr 0.1" in table
    assert "| CE + KD | 63.00 +- 1.73 | 61.00 64.00 64.00 | +2.00 \\[-0.48, +4.48\\] | 63.00 |" in " ".join(
        table.split()
    )


def test_a_bench_that_is_not_finished_and_two_protocols_are_refused(runs: Path, tmp_path: Path) -> None:
    write_run(runs, [CE, KD], lr=0.2)
    with pytest.raises(ValueError, match="more than one comparison"):
        SCRIPT["keep"](runs, tmp_path / "it.json")
    (next(runs.glob("*-from-*")) / "result.json").unlink()
    with pytest.raises(ValueError, match=r"1 run in .* not finished"):
        SCRIPT["keep"](runs, tmp_path / "it.json")
