"""The words of a plan."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.plan import Plan
from stillhouse.cli.summary.planning import in_words, of_budget, of_command, of_hours, of_networks
from stillhouse.export.latency import Latency
from stillhouse.plan.budget import Proposal
from stillhouse.plan.candidate import Candidate
from stillhouse.plan.courses import Cache, Course
from stillhouse.plan.pace import Pace
from stillhouse.plan.speed import Speed
from stillhouse.training.progress import Display
from tests.helpers.data import quick_data

PACE = Pace(0.2, {"by itself": 0.1, "CE + KD": 0.1}, 100, reading=0.1, timed=9, images=64, memory=2 * 10**9)
COURSE = Course("net", PACE, {"by itself": 0, "CE + KD": 0}, cache=Cache(2))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.26, "4.3 s"), (75, "75 s"), (240, "4.0 min"), (5000, "83 min"), (7200, "2.0 h"), (250_000, "69 h")],
)
def test_durations_are_as_exact_as_an_estimate(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_hours_with_and_without_cache_and_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    fast = replace(COURSE, pace=replace(PACE, teacher=0.1))
    of_hours(Display(), [COURSE], [fast], 10, 100, 64)
    out = capsys.readouterr().out
    lines = {line.strip().partition("  ")[0]: line.split() for line in out.splitlines() if " ms " in line}
    assert lines["net"][1:6] == ["500", "ms", "50", "s", "8.3"]
    assert lines["compiled"][1:3] == ["400", "ms"]
    assert "with teacher cache" in lines
    assert "compiled, with cache" in lines
    assert f"net: about {in_words(fast.seconds(10))} in all" in out  # of what was asked for
    assert fast.seconds(10) < COURSE.seconds(10)
    assert "a step is 100 ms of reading and augmenting, 200 ms of the teacher, 200 ms of students" in out
    of_hours(Display(), [replace(COURSE, cache=Cache(0, "why not"))], None, 10, 100, 256)
    out = capsys.readouterr().out
    assert "no teacher cache: why not" in out
    slow = replace(COURSE, name="slow", pace=replace(PACE, teacher=0.4))
    of_hours(Display(), [COURSE, slow], None, 10, 100, 64)
    out = capsys.readouterr().out
    assert "a step of net is 100 ms of reading and augmenting, 200 ms of the teacher" in out
    assert "a step of slow is 100 ms of reading and augmenting, 400 ms of the teacher" in out
    of_hours(Display(), [replace(COURSE, cache=Cache(0, "why not"))], None, 10, 100, 256)
    out = capsys.readouterr().out
    assert "compiled: not measured" in out
    assert "on 64 of 256 images, multiplied, of real batches" in out


def test_a_teacher_that_is_trained_longer_than_students_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    teacher = Pace(0.0, {"by itself": 0.1}, 100)
    for course, words in [
        (replace(COURSE, teacher=teacher, teacher_epochs=20), "teacher, first, 20 epochs  "),
        (replace(COURSE, teacher=teacher, seeds=3), "teacher, first, 10 epochs  "),
        (replace(COURSE, teacher=teacher), "teacher, first  "),
    ]:
        of_hours(Display(), [course], None, 10, 100, 64)
        assert words in capsys.readouterr().out


def test_the_cache_of_each_student_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    without = replace(COURSE, name="other", cache=Cache(0, "why not"))
    of_hours(Display(), [COURSE, without, replace(COURSE, name="third")], None, 10, 100, 64)
    out = " ".join(capsys.readouterr().out.split())
    assert "net, third: teacher cache: computed from 2 views of each image" in out
    assert "other: no teacher cache: why not" in out


def test_latencies_are_in_one_table_with_blanks_for_what_was_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    speeds = [Speed(1, 1, Latency(1.5, 2.5, 10)), Speed(32, 1, Latency(1234.0, 2345.0, 3))]
    both = [Candidate("teacher", 2, 10**9, speeds[:1]), Candidate("student", 1, 0, speeds)]
    of_networks(Display(), both, torch.device("cpu"))
    out = capsys.readouterr().out
    (line,) = [line.split() for line in out.splitlines() if "1,234" in line]
    assert line == ["student", "1.5", "/", "2.5", "1,234", "/", "2,345"]
    assert "not counted" in out


def test_what_is_given_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    of_budget(display, "net", Proposal(96, 7100, {"epochs": 96}, ["epochs 240 -> 96"]), COURSE, 7200)
    of_budget(display, "net", Proposal(3, 7100, {"epochs": 3}, ["epochs 240 -> 3"]), COURSE, 7200)
    of_budget(display, "net", Proposal(240, 7100, {}, []), COURSE, 7200)
    of_budget(display, "net", Proposal(0, 9000, {}, []), COURSE, 7200)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "net in 2.0 h: takes 2.0 h; epochs 240 -> 96; the teacher's outputs are cached"
    assert lines[2] == "note: in fewer than 10 epochs a student learns little"
    assert lines[3] == "net in 2.0 h: fits as asked, 2.0 h; nothing is given up"
    assert "not even one epoch fits, which takes 2.5 h in all" in lines[4]
    of_budget(display, "other", Proposal(4, 7100, {"epochs": 4}, ["epochs 240 -> 4"]), COURSE, 7200)
    assert "learns little" not in capsys.readouterr().out  # it was said once


def test_the_command_has_what_was_typed_and_what_changes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["digits", "--student", "resnet8,resnet14", "--methods", "CE + KD", "--lr", "0.1", "--budget", "2h"]
    words += ["--flip", "true", "--milestones", "[0.5, 0.8]", "--teacher_anatomy.head", "fc", "--format", "svg"]
    command = parse("plan", Plan, [*words, "--folder", str(tmp_path)], {"data": "data"})
    of_command(Display(), command, "resnet14", {"epochs": 7, "batch_size": 128}, quick_data())
    lead, line = capsys.readouterr().out.splitlines()
    assert lead == "to train resnet14:"
    first, second, *typed = shlex.split(line)
    assert (first, second) == ("stillhouse", "distill")
    asked = parse("distill", Distill, typed)
    assert asked.distillation.student == "resnet14"
    assert asked.distillation.methods == "CE + KD"
    assert asked.distillation.teacher_anatomy == command.distillation.teacher_anatomy
    assert (asked.run.config.lr, asked.run.config.batch_size, asked.run.config.milestones) == (0.1, 128, (0.5, 0.8))
    assert (asked.run.length.epochs, asked.run.split.flip, asked.run.output.folder) == (7, True, tmp_path)


def test_a_machine_whose_speed_changed_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for drift, says in ((0.1, False), (0.271, True)):
        course = Course("small", Pace(1.0, {"CE": 1.0}, 10, timed=8, images=4, drift=drift), {"CE": 0})
        of_hours(Display(), [course], None, 5, 10, 4)
        out = " ".join(capsys.readouterr().out.split())
        assert ("note: this machine was up to 27 % slower for a part of the time" in out) == says
