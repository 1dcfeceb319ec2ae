"""The settings that make numbers comparable."""

from pathlib import Path

from stillhouse.report.records import read_records
from stillhouse.report.settings import protocol, shown, teaching
from tests.helpers.finished import CE, KD, record

KEPT = Path(__file__).parents[1] / "runs_of_0_1_0"


def test_a_student_and_the_same_by_itself_have_one_protocol(tmp_path: Path) -> None:
    alone, taught = record(tmp_path), record(tmp_path, [CE, KD], seed=4, device="cuda")
    assert protocol(alone) == protocol(taught)
    assert {"epochs", "lr", "batch_size", "validation", "image_size", "student_weights"} <= protocol(alone).keys()
    assert not {"seed", "device", "folder", "workers", "data"} & protocol(alone).keys()
    assert teaching(alone) == {}
    assert teaching(taught)["teacher_precision"] == "float32"


def test_options_that_came_later_are_at_their_defaults_in_old_runs(tmp_path: Path) -> None:
    old = protocol(read_records([KEPT]).records[0])
    new = protocol(record(tmp_path, [CE, KD]))
    assert old == new | {"epochs": 2}


def test_what_changes_numbers_is_in_it(tmp_path: Path) -> None:
    one = protocol(record(tmp_path))
    for option, value in (("lr", 0.1), ("flip", False), ("validation", 0.1), ("milestones", [1.0]), ("weights", "x")):
        other = protocol(record(tmp_path, **{option: value}))
        assert [name for name in one if one[name] != other[name]] == [option.replace("weights", "student_weights")]


def test_values_are_shown_as_people_write_them() -> None:
    assert [shown(value) for value in (None, True, 0.0005, 3, (0.5, 0.75), "sgd")] == [
        *("none", "true", "0.0005", "3", "0.5, 0.75", "sgd"),
    ]
