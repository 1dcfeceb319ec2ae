"""`stillhouse bench` from words to a table."""

import json
from pathlib import Path
from unittest.mock import patch

import pytest

from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.commands import World, contents, done, only, refusal

Capture = pytest.CaptureFixture[str]
FAILING = """
from stillhouse.methods import KD

class Fails(KD):
    def loss(self, student, teacher, labels):
        raise TypeError("made up")

class Refuses(KD):
    def __init__(self, weight: float = 1.0):
        super().__init__(weight=weight)

    def build(self, student, teacher, data):
        raise ValueError("these two do not go together")
"""


def words(world: World, folder: Path, *more: str, epochs: int = 1) -> list[str]:
    return ["bench", *world.distill(folder, *more, epochs=epochs)[1:]]


def test_a_bench_ends_with_every_seed_and_done_again_trains_nothing(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    command = words(world, tmp_path, "--methods", "CE, CE + KD", "--seeds", "2")
    first = done(capsys, command)
    assert "1 pair x 2 methods x 2 seeds: 4 students, 0 trained before, 4 to train, about" in first
    tops = [json.loads(path.read_text())["top1"] for path in sorted(tmp_path.glob("*/result.json"))]
    assert len(tops) == 4
    table = first[first.rindex("method ") :]
    assert all(f"{top1:.2f}" in table for top1 in tops)
    for card in tmp_path.glob("*/README.md"):
        assert "| CE + KD |" in card.read_text().partition("## Compared with")[2]
    assert len(list(tmp_path.glob("*/README.md"))) == 4
    before = contents(tmp_path)
    with patch.object(Teacher, "identity", autospec=True, side_effect=Teacher.identity) as looks:
        again = done(capsys, command)
    assert looks.call_count == 1  # for all students: it reads all weights
    assert "4 trained before, nothing to train" in again
    assert again[again.rindex("method ") :] == table
    assert contents(tmp_path) == before

    more = done(capsys, words(world, tmp_path, "--methods", "CE, CE + KD, CE + AT", "--seeds", "2"))
    assert "6 students, 4 trained before, 2 to train" in more
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before


def test_students_of_a_bench_are_those_of_distill(world: World, tmp_path: Path, capsys: Capture) -> None:
    done(capsys, words(world, tmp_path, "--methods", "CE, CE + KD", "--seeds", "1"))
    before = contents(tmp_path)
    out = done(capsys, world.distill(tmp_path, "--methods", "CE, KD", epochs=1))
    assert out.count("already trained") == 2
    assert contents(tmp_path) == before
    config = only(tmp_path, "pictures-my_nets.py_small-from") / "config.yaml"
    assert "already trained" in done(capsys, ["distill", "--config", str(config)])


def test_two_methods_that_are_the_same_by_another_name_differ_by_nothing(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    done(capsys, words(world, tmp_path, "--methods", "CE + KD, CE + KD(weight=0.45) + KD(weight=0.45)", "--seeds", "1"))
    done(capsys, words(world, tmp_path, "--methods", "CE, CE(weight=0.5) + CE(weight=0.5)", "--seeds", "1"))
    results = {path.parent.name: json.loads(path.read_text())["top1"] for path in tmp_path.glob("*/result.json")}
    alone, doubled = (results[name] for name in results if "small-seed" in name or "CE_weight0.5+CE" in name)
    assert alone == doubled


def test_methods_with_equal_settings_differ_by_zero_and_one_more_leaves_all_else_untouched(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    file, runs = tmp_path / "same.py", tmp_path / "runs"
    file.write_text("from stillhouse.methods import KD\n\nclass Same(KD):\n    pass\n")
    methods = f"CE, CE + KD(temperature=2), CE + {file}:Same(temperature=2)"
    done(capsys, words(world, runs, "--methods", methods, "--seeds", "2", epochs=2))
    results = {path.parent.name: json.loads(path.read_text()) for path in runs.glob("*-from-*/result.json")}
    weights = [results[name]["weights_hash"] for name in sorted(results)]
    assert len(weights) == 4
    assert len({*weights}) == 2  # one for each seed

    pages = tmp_path / "report.json"
    done(capsys, ["report", str(runs), "--format", "json", "-o", str(pages), "--baseline", "CE + KD(temperature=2)"])
    found = [one for group in json.loads(pages.read_text()) for one in group["methods"]]
    (same,) = (one for one in found if "Same" in one["method"])
    assert same["difference_by_seed"] == {"0": 0.0, "1": 0.0}
    assert (same["difference"], same["interval_low"], same["interval_high"]) == (0.0, 0.0, 0.0)

    before = contents(runs)
    out = done(capsys, words(world, runs, "--methods", f"{methods}, CE + AT", "--seeds", "2", epochs=2))
    assert "8 students, 6 trained before, 2 to train" in out
    after = contents(runs)
    assert {name: after[name] for name in before} == before
    new = {name.partition("/")[0] for name in after.keys() - before.keys()}
    assert len(new) == 2
    assert all("-CE+AT-" in name for name in new)


def test_who_fails_or_refuses_stops_nobody(world: World, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "failing.py"
    file.write_text(FAILING)
    methods = f"CE, CE + {file}:Fails, CE + {file}:Refuses, CE + AT"
    assert "2 students of 4 failed; see above" in refusal(
        capsys, words(world, tmp_path / "runs", "--methods", methods, "--seeds", "1")
    )
    finished = {path.parent.name for path in (tmp_path / "runs").glob("*/result.json")}
    assert len(finished) == 2
    assert not any("Refuses" in path.name for path in (tmp_path / "runs").iterdir())


def test_the_teacher_is_trained_first_once_or_for_every_seed(world: World, tmp_path: Path, capsys: Capture) -> None:
    command = words(world, tmp_path, "--methods", "CE + KD", "--seeds", "2", "--trust_teacher", "true", epochs=2)
    command[2] = f"{world.nets}:wide"
    out = done(capsys, command)
    assert out.count("it is trained first") == 1
    assert len(list(tmp_path.glob("pictures-my_nets.py_wide-seed*"))) == 1
    done(capsys, [*command, "--teachers", "per_seed"])
    assert len(list(tmp_path.glob("pictures-my_nets.py_wide-seed*"))) == 2
    assert len(list(tmp_path.glob("*-from-*"))) == 3  # the first seed's is the same in both


def test_a_bench_in_a_file(world: World, tmp_path: Path, capsys: Capture) -> None:
    plan = tmp_path / "bench.yaml"
    plan.write_text(
        f"data: {world.pictures}\nepochs: 1\nbatch_size: 16\ndevice: cpu\nseeds: 1\nfolder: {tmp_path / 'runs'}\n"
        f"methods: ['CE', 'CE, KD(temperature=2)']\n"
        f"pairs:\n- teacher: {world.nets}:wide\n  teacher_weights: {world.teacher}\n"
        f"  student: {world.nets}:small\n  lr: 0.01\n"
    )
    out = done(capsys, ["bench", "--config", str(plan)])
    assert "2 students" in out
    config = only(tmp_path / "runs", "pictures-my_nets.py_small-from") / "config.yaml"
    assert "\nlr: 0.01\n" in config.read_text()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            ["--seeds", "0"],
            "--seeds must be a number of seeds from 1 to 1000, or seeds with commas, such as 0,1,2, not 0",
        ),
        (["--pairs", "resnet56"], "must be TEACHER-STUDENT"),
        (["--pairs", "resnet8-vgg8", "--student", "vgg11"], "--student is for the only pair without --pairs, which"),
        (["--recipes", "cifar100/none"], "there is no recipe"),
        (["--methods", "CE,CE"], "are the same; leave one out"),
    ],
)
def test_what_is_no_bench_is_refused(capsys: Capture, more: list[str], says: str) -> None:
    assert says in refusal(capsys, ["bench", *more])
