"""What people see: the right numbers in plain lines, and a live picture on a terminal."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from rich.cells import cell_len

from stillhouse.analysis.tables import Line, comparison
from stillhouse.training import progress as module
from stillhouse.training.classroom import Classroom
from stillhouse.training.loss_meter import LossMeter
from stillhouse.training.progress import Display, duration
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer


def test_no_name_does_more_than_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display()
    display.say("\x1b[2J runs/\x07 [red]")
    display.note("\u202e")
    display.note(None)
    display.console.print(comparison([Line("\x1b[31mnet", 1, 2, 3.0)], "\x9btitle"))
    out = capsys.readouterr().out
    assert out.startswith("\\x1b[2J runs/\\x07 [red]\nnote: \\u202e\n\\x9btitle")
    assert "\\x1b[31mnet" in out
    assert not any(letter in out for letter in "\x1b\x07\x9b\u202e")


def test_a_path_stays_whole_where_it_is_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    Display().say("kept in runs/a-name-longer-than-the-screen now, with all\n  that belongs to it")
    said = "kept in\nruns/a-name-longer-than-the-screen\nnow, with all\n  that belongs to it\n"
    assert capsys.readouterr().out == said


class Clock:
    """A clock that somebody sets."""

    now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@dataclass
class Student:
    """The part of a student's trainer that a display sees."""

    name: str
    losses: dict[str, float]
    epochs: int = 4
    epoch: int = 0
    step: int = 0
    run: Run = field(default_factory=lambda: Run(Path("runs"), "digits", {}, {}))

    @property
    def meter(self) -> LossMeter:
        meter = LossMeter()
        meter.means = lambda: self.losses  # type: ignore[method-assign] # a stand-in for the test
        return meter


@dataclass
class Room:
    trainers: list[Student]
    epochs: int = 4
    cache: None = None


def room(*trainers: Student) -> Classroom:
    return cast(Classroom, Room(list(trainers)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def row(epoch: int, **more: Any) -> dict[str, Any]:
    measured = {"top1": 71.5, "top5": 99.0, "test_loss": 0.9, "seconds": 20.0}
    return {"epoch": epoch, "phase": "distillation", "lr": 0.05, "loss": 2.5, "CE": 2.0, "KD": 0.5, **measured, **more}


def test_an_epoch_is_a_line(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    student = Student("resnet8 CE+KD", {})
    with Display() as display:
        display.epoch(room(student, Student("resnet8 by itself", {})), 0, 10)
        clock.now += 20
        student.epoch = 1
        display.row(cast(StudentTrainer, student), row(1, agreement=88.25, **{"CTKD.temperature": 4.0}))
    heading, line = capsys.readouterr().out.splitlines()
    assert heading == ("                     epoch  largest losses             top-1 % agree % seconds    left")
    assert line == "resnet8 CE+KD          1/4  CE 2.000     KD 0.5000       71.50   88.25    20.0    1:00"


def test_a_warm_up_is_called_by_its_name(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    student = Student("s", {})
    with Display() as display:
        display.epoch(room(student), 1, 10)
        clock.now += 30
        display.row(cast(StudentTrainer, student), row(2, phase="FT warm-up"))
        display.row(cast(StudentTrainer, student), row(3, phase="FT warm-up"))
        display.row(cast(StudentTrainer, student), row(4))
    _, first, *lines = capsys.readouterr().out.splitlines()
    assert first == "s: FT warm-up from epoch 2 on"
    assert lines[2] == "s: distillation from epoch 4 on"
    assert [line.split()[:2] for line in (*lines[:2], lines[3])] == [["s", "2/4"], ["s", "3/4"], ["s", "4/4"]]


def test_time_left_counts_only_what_this_process_did(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    student = Student("s", {}, epoch=2)
    with Display() as display:
        display.epoch(room(student), 2, 10, start=5)  # resumes in the middle of the third of four epochs
        clock.now += 50  # for half an epoch: 100 s an epoch
        display.row(cast(StudentTrainer, student), row(3))
    assert capsys.readouterr().out.endswith(" 1:40\n")


def test_a_resumed_run_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    student = Student("resnet8", {}, epoch=2, step=7)
    Display().resumed(cast(StudentTrainer, student))
    student.step = 0
    Display().resumed(cast(StudentTrainer, student))
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"resnet8: resumes at epoch 3 of 4, step 8 ({student.run.folder})"
    assert second == f"resnet8: resumes at epoch 3 of 4 ({student.run.folder})"


def test_steps_are_silent_without_a_terminal_unless_an_epoch_is_long(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    student = Student("s", {"CE": 2.25}, step=30)
    with Display() as display:
        display.epoch(room(student), 0, 100)
        clock.now += 200
        display.step(room(student), 20)
        assert len(capsys.readouterr().out.splitlines()) == 1
        clock.now += 200
        display.step(room(student), 40)
        assert capsys.readouterr().out == "epoch 1/4  step 40/100  0.1 step/s  1:00:00 left  s: CE 2.250\n"


def test_a_terminal_shows_every_student(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    terms = {"CE": 2.25, "KD": 0.5, "AT": 1234.5, "FitNet": 0.012}
    students = Student("resnet8 by itself", {"CE": 2.0}, step=5), Student("resnet8 CE+KD+AT+FitNet", terms, step=5)
    with Display() as display:
        display.epoch(room(*students), 1, 10)
        clock.now += 5
        display.step(room(*students), 5)
        shown = capsys.readouterr().out
        assert "epoch 2/4  step 5/10  0:25 left" in shown  # 2.5 epochs of 10 s
        assert "38 %" in shown  # 1.5 of 4 epochs
        assert all(word in shown for word in ("CE 2.000", "CE 2.250", "AT 1234", "resnet8 C..T+FitNet"))
        assert "KD 0.5000" not in shown  # two terms are larger
        display.row(cast(StudentTrainer, students[0]), row(2))
    assert " 2/4  CE 2.000" in capsys.readouterr().out


@dataclass
class Cache:
    hit_rate: float = 1.0


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_of_a_terminal_is_wider_than_it(
    width: int, clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    name = "timm:vit_so400m_patch14_reg4_gap_378.webli CE+KD+AT+SemCKD+ScaleDecoupled+SpotAdaptive"
    terms = {f"ScaleDecoupled.term{i}": 12345.678 * 10**i for i in range(6)}
    student = Student(name, terms, epochs=240, step=5)
    crowded = cast(Classroom, Room([student, Student("s", terms, epochs=240, step=5)], 240, cast(None, Cache())))
    with Display() as display:
        display.epoch(crowded, 239, 123456)
        clock.now += 100000
        display.step(crowded, 99999)
        display.row(cast(StudentTrainer, student), row(240, **terms, agreement=100.0, seconds=123456.7))
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out))
    widest = max(map(cell_len, lines))
    assert 70 < widest <= width, [line for line in lines if cell_len(line) == widest]
    assert any(re.search(r"[━╸] +\d+ % +epoch 240/240 +step 99999/123456 +\S+ left", line) for line in lines)
    assert any("left  teacher cache 100 %" in line for line in lines) is (width >= 100)


def test_all_terms_are_shown_on_request(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    student = Student("s", {})
    with Display() as display:
        display.all_terms = True
        display.epoch(room(student), 0, 10)
        clock.now += 1
        display.row(cast(StudentTrainer, student), row(1, AT=12.5, SP=0.001))
    assert capsys.readouterr().out.splitlines()[2] == "  CE 2.000  KD 0.5000  AT 12.50  SP 0.001000"


def test_time_left_and_the_bar_are_those_of_the_whole_plan(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    teacher, student = Student("t", {}, epochs=2), Student("s", {}, epochs=4)
    display = Display()
    display.set_parts([10, 40])
    for one, epochs in ((teacher, 2), (student, 4)):
        with display:
            display.epoch(cast(Classroom, Room([one], epochs)), 0, 10)
            clock.now += 10  # twice as slow as estimated for the teacher
            display.row(cast(StudentTrainer, one), row(1))
    _, first, _, second = capsys.readouterr().out.splitlines()
    assert first.endswith(" 1:30")  # 10 s of its own, and 80 s of the student
    assert second.endswith(" 0:30")


def test_students_that_do_not_fit_together_fill_their_part_one_after_another(clock: Clock) -> None:
    display, shares = Display(), []
    display.set_parts([10, 40])
    for share in (1.0, 0.25, 0.75):
        display.set_share(share)
        with display:
            for done in (0.0, 0.5, 1.0):
                shares.append(round(display._plan.share(done), 6))
            to_come = display._plan.after(5.0, 0.5)
    assert shares == [0.0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.4, 0.7, 1.0]  # it never steps back
    assert to_come == 0
    display.set_parts([10, 40])
    for share, half, to_come in ((1.0, 5.0, 40), (0.25, 5.0, 30), (0.75, 30.0, 0)):  # the last is twice as slow
        display.set_share(share)
        with display:
            assert display._plan.after(half, 0.5) == pytest.approx(to_come)


def test_quiet_shows_nothing(clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    student = Student("s", {"CE": 2.25}, step=1)
    with Display(quiet=True) as display:
        display.say("hello")
        display.epoch(room(student), 0, 10)
        clock.now += 400
        display.step(room(student), 1)
        display.row(cast(StudentTrainer, student), row(1))
    assert capsys.readouterr() == ("", "")


def test_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    display, long = Display(), "a folder/" * 40
    display.say("SpotAdaptive([KD, AT]) :smile: [bold]")
    display.say(long)
    display.console.print(comparison([Line("my[red]net.py:Net " + "x" * 60, 1_000_000, 10, 50.0, 50.0, 50.0)], "t"))
    first, second, *table = capsys.readouterr().out.splitlines()
    assert first == "SpotAdaptive([KD, AT]) :smile: [bold]"
    assert second == long  # a file or a pipe gets whole lines
    assert any("my[red]net.py:Net " + "x" * 60 in line and "1,000,000" in line for line in table)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-3, "0:00"), (0.4, "0:00"), (59.6, "1:00"), (125, "2:05"), (3723, "1:02:03")]
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
