"""Comparisons as data: a line a run, each with the numbers of its method."""

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest

from stillhouse.report.compare import compare
from stillhouse.report.formats import as_csv, as_json, as_parquet
from stillhouse.report.groups import Group
from tests.helpers.finished import CE, KD, record


@pytest.fixture
def groups(tmp_path: Path) -> list[Group]:
    runs = [record(tmp_path, seed=seed, top1=[60 + seed], data='a,"b"\n') for seed in (0, 1)]
    return compare([*runs, *(record(tmp_path, [CE, KD], seed, [61 + 1.1 * seed], data='a,"b"\n') for seed in (0, 1))])


def test_csv_has_a_line_a_run(groups: list[Group]) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(groups), newline="")))
    assert [(row["label"], row["seed"], row["top1"]) for row in rows] == [
        *[("CE", "0", "60.0"), ("CE", "1", "61.0"), ("CE + KD", "0", "61.0"), ("CE + KD", "1", "62.1")],
    ]
    assert rows[0]["difference"] == ""
    assert float(rows[3]["difference"]) == pytest.approx(1.05)
    assert {row["data"] for row in rows} == {'a,"b"\n'}


def test_parquet_has_the_same_with_types(groups: list[Group]) -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(as_parquet(groups)))
    assert table["top1"].to_pylist() == [60, 61, 61, 62.1]
    assert table["interval_low"].to_pylist()[0] is None
    assert str(table["seed"].type) == "int64"


def test_json_has_the_epochs_too(groups: list[Group]) -> None:
    (group,) = json.loads(as_json(groups))
    base, taught = group["methods"]
    assert (base["method"], taught["method"]) == ("CE", "CE + KD")
    assert taught["difference_by_seed"] == pytest.approx({"0": 1.0, "1": 1.1})
    assert [row["top1"] for row in taught["runs"][1]["epochs_measured"]] == [62.1]
    assert group["settings"]["lr"] == "0.05"
