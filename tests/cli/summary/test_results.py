"""What a distillation says at its end: the gain, how sure it is, and a warning where there is none."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.summary.results import Results, gain, warning
from stillhouse.training.evaluation import Scores
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer

COMMAND = parse("distill", Distill, ["--methods", "CE + KD + AT"])


@dataclass(eq=False)
class Student:
    """The part of a student's trainer that these sentences need."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def run(self) -> Run:
        run = Run(Path("nowhere"), self.name, {})
        run.rows = lambda: self.rows  # type: ignore[method-assign] # a stand-in for the test
        return run


def scores(right: int, of: int = 400) -> Scores:
    """Return the outputs of a network that gets the first images right and the others wrong."""
    labels = torch.zeros(of, dtype=torch.int64)
    return Scores(torch.eye(2)[(torch.arange(of) >= right).long()], labels)


def results(alone: int | None, taught: int, teacher: int = 399, **losses: float) -> Results:
    row = {"epoch": 1, "phase": "distillation", "lr": 0.1, "loss": 1.0, "top1": 1.0, "top5": 1.0, "test_loss": 1.0}
    students = [] if alone is None else [(Student("s by itself"), scores(alone))]
    students.append((Student("s CE+KD", [{**row, "seconds": 1.0, **losses}]), scores(taught)))
    return Results(scores(teacher), {cast(StudentTrainer, one): found for one, found in students})


def test_the_gain_is_given_with_its_interval() -> None:
    said = gain(results(360, 380), seed=3)
    assert said.startswith("gain: +5.00 points over s by itself, 95 % interval +2.")
    assert said.endswith("(paired over the 400 test images of seed 3)")


def test_a_small_gain_is_not_called_certain() -> None:
    said = gain(results(378, 380), seed=0)
    assert "+0.50 points" in said
    assert said.endswith("that includes zero, so more seeds are needed to tell: --seeds 5")


def test_without_a_baseline_there_is_no_gain() -> None:
    assert gain(results(None, 380), 0).startswith("gain: not known without a baseline")
    assert warning(results(None, 3), COMMAND) is None


@pytest.mark.parametrize("taught", [360, 361])
def test_nobody_is_warned_of_a_student_that_is_as_good(taught: int) -> None:
    assert warning(results(360, taught), COMMAND) is None


def test_a_student_that_distillation_hurt_comes_with_what_to_try() -> None:
    said = warning(results(360, 300, CE=9.0, KD=0.2, AT=3.0), COMMAND)
    assert said is not None
    note, command = said
    assert note == (
        "distillation made the student worse; try more --epochs, other --methods, or other weights of AT, its largest "
        "term:"
    )
    assert command.startswith("stillhouse grid --data digits ")
    assert "--grid AT.weight=100,300,1000" in command
    slightly = warning(results(360, 359, KD=0.2), COMMAND)
    assert slightly is not None
    assert "though by less than the test images can tell" in slightly[0]
    assert "--grid KD.weight=0.09,0.27,0.9" in slightly[1]


def test_a_teacher_that_is_no_better_than_the_student_is_named_first() -> None:
    said = warning(results(360, 300, teacher=350, KD=0.2), COMMAND)
    assert said is not None
    assert "try a better teacher (this one is no better than the student by itself), " in said[0]
