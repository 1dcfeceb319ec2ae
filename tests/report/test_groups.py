"""Only what was trained alike is put into one table."""

from pathlib import Path

from stillhouse.report.groups import ALONE, grouped
from stillhouse.report.records import read_records
from tests.helpers.finished import CE, KD, record, write_run


def test_methods_and_the_student_by_itself_share_a_group(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path, [CE, KD], seed)
        write_run(tmp_path, seed=seed)
    write_run(tmp_path, student="resnet56", weights_hash="7ea0")
    (group,) = grouped(read_records([tmp_path]).records)
    assert (group.title, group.notes) == ("pets: resnet56 -> resnet20", [])
    assert {entry.name: [run.seed for run in entry.runs] for entry in group.entries} == {
        "CE": [0, 1],
        "CE + KD": [0, 1],
    }
    assert [run.student for run in group.teachers] == ["resnet56"]


def test_another_protocol_is_another_group_that_says_what_differs(tmp_path: Path) -> None:
    runs = [record(tmp_path, [CE, KD]), record(tmp_path, [CE, KD], lr=0.1), record(tmp_path, lr=0.1)]
    runs += [record(tmp_path / "other", [CE, KD], result={"data_hash": "0ther"})]
    titles = {group.title: len(group.entries) for group in grouped(runs)}
    assert titles == {
        "pets: resnet56 -> resnet20 (lr 0.1, images da7a)": 2,
        "pets: resnet56 -> resnet20 (lr 0.05, images da7a)": 1,
        "pets: resnet56 -> resnet20 (lr 0.05, images 0ther)": 1,
    }


def test_one_teacher_a_seed_is_one_group_and_two_for_one_seed_are_not(tmp_path: Path) -> None:
    other = "KD(weight=0.5, temperature=4.0, cross_entropy=False)"
    runs = [record(tmp_path, [CE, m], s, teacher_hash=f"t{s}") for m in (KD, other) for s in (0, 1)]
    (group,) = grouped(runs)
    assert len(group.runs) == 4
    runs += [record(tmp_path, [CE], 0, teacher_hash="t1")]
    assert {group.title for group in grouped(runs)} == {
        f"pets: resnet56 -> resnet20 (teacher's weights t{seed})" for seed in (0, 1)
    }


def test_networks_by_themselves_are_a_group_of_networks(tmp_path: Path) -> None:
    runs = [record(tmp_path, student=student, seed=seed) for student in ("resnet20", "vgg8") for seed in (0, 1)]
    (group,) = grouped(runs)
    assert (group.student, group.teacher) == (ALONE, None)
    assert {entry.name: len(entry.runs) for entry in group.entries} == {"resnet20": 2, "vgg8": 2}


def test_runs_that_do_not_keep_a_hash_of_their_images_join_those_of_the_same_name(tmp_path: Path) -> None:
    old = record(tmp_path, [CE, KD], 1, result={"data_hash": None})
    old.result.pop("data_hash")  # type: ignore[attr-defined] # a dict
    (group,) = grouped([old, record(tmp_path, [CE, KD], 0)])
    assert [run.seed for run in group.runs] == [0, 1]
    groups = grouped([old, record(tmp_path, [CE, KD], 0), record(tmp_path, [CE, KD], 2, result={"data_hash": "x"})])
    assert len(groups) == 3  # nobody knows which


def test_what_a_reader_should_know_is_noted(tmp_path: Path) -> None:
    runs = [record(tmp_path, [CE, KD], seed) for seed in (0, 1, 2)] + [record(tmp_path)]
    runs += [record(tmp_path / "again", [CE, KD], 1, result={"device": "H100"})]
    runs += [record(tmp_path, seed=1, result={"device": "H100"})]
    (group,) = grouped(runs)
    twice, lacks, device = group.notes
    assert twice.startswith("CE + KD was trained 2 times with seed 1: ")
    assert lacks == "CE lacks seed 2"
    assert device.startswith("not all were trained on the same device: cpu x 1 (4 runs), H100 (1 run)")
