"""A budget of time as a number of epochs, decided before the first of them, so that the choice can be repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ..grid.halving import Halving
from ..plan.pace import FORWARD, Pace
from ..training.config import TrainConfig

FINALISTS = 2  # candidates that are trained to the end at least: the first is compared with the second
_FIRST = 3  # epochs before any candidate is stopped, unless there is one rung only
_OF_BUDGET = 0.9  # for epochs; the rest is for beginning, measuring and drawing
_LONG = TrainConfig()


@dataclass(frozen=True)
class Rung:
    """A part of the training after which some candidates are stopped.

    Args:
        part: Of the epochs; 1 is the end.
        going: Number of candidates that are trained as far.
    """

    part: float
    going: int

    def epochs(self, of: int) -> int:
        """Return the number of epochs in its part of so many."""
        return dataclasses.replace(_LONG, epochs=of).epochs_in(self.part)


@dataclass(frozen=True)
class Settled:
    """The length of a choice.

    Args:
        epochs: Of the finalists.
        rungs: The parts of them, the last of which is the end.
        seconds: Estimated duration.
    """

    epochs: int
    rungs: Sequence[Rung]
    seconds: float


def rungs(count: int, number: int | None = None) -> list[Rung]:
    """Return the rungs of so many candidates, the last of which is the end.

    Args:
        number: Of rungs before the end; by default as many as leave the finalists only.
    """
    halving, found, going = Halving(count, FINALISTS, number), list[Rung](), count
    for part in halving.parts:
        found.append(Rung(part, going))
        going = min(going, halving.going_on(going))
    return [*found, Rung(1.0, going)]


def steps(ladder: Sequence[Rung], epochs: int) -> list[tuple[int, int]]:
    """Return numbers of candidates, falling, with the number of epochs for which so many are trained."""
    found: list[tuple[int, int]] = []
    for rung in ladder:
        end = rung.epochs(epochs)
        if found and found[-1][0] == rung.going:
            found[-1] = (rung.going, end)
        elif not found or end > found[-1][1]:
            found.append((rung.going, end))
    return found


def once(pace: Pace, train: int, validation: int, test: int) -> Pace:
    """Return the seconds of what is done once: a teacher looks at the validation images, a finalist at the test images.

    Args:
        pace: Seconds of an epoch, in which a student looks at the validation images as well.
        train: Number of training images.
        validation: Number of validation images.
        test: Number of test images.
    """
    looking = FORWARD * test / (train + FORWARD * validation)
    students = {label: looking * own for label, own in pace.students.items()}
    return Pace(pace.teacher * validation / train, students)


def settled(budget: float | None, full: int, least: int, pace: Pace, ends: Pace, count: int, seeds: int) -> Settled:
    """Return the longest choice that fits into a budget, with as many rungs as leave a few epochs before the first.

    Args:
        budget: In seconds; None for all epochs.
        full: Epochs of the training in full, at most.
        least: Epochs of the shortest training.
        pace: Seconds of an epoch, of the teacher and of each candidate.
        ends: Seconds of what is done once, likewise.
        count: Number of candidates.

    Raises:
        ValueError: If even the shortest does not fit.
    """
    for number in range(len(rungs(count)) - 1, 0, -1):
        ladder = rungs(count, number)
        fitting = [
            epochs
            for epochs in range(least, full + 1)
            if budget is None or seconds(epochs, pace, ends, ladder, seeds) <= _OF_BUDGET * budget
        ]
        if fitting and (number == 1 or ladder[0].epochs(fitting[-1]) >= _FIRST):
            return Settled(fitting[-1], ladder, seconds(fitting[-1], pace, ends, ladder, seeds))
    needed, epoch = seconds(least, pace, ends, ladder, seeds), "an epoch" if least == 1 else f"{least} epochs"
    raise ValueError(
        f"--budget must be at least {needed / _OF_BUDGET:.0f} s, not {budget:.0f} s, because {epoch} of {count} "
        "candidates and of the best of them take as long; name fewer --students or --methods, or set --train_fraction"
    )


def seconds(epochs: int, pace: Pace, ends: Pace, ladder: Sequence[Rung], seeds: int) -> float:
    """Return the seconds of a choice whose finalists are trained for so many epochs, if the slowest ones go on."""
    slowest = sorted(pace.students, key=lambda label: -pace.students[label])
    total, before = 0.0, 0
    for rung in ladder:
        end = rung.epochs(epochs)
        total += pace.seconds(dict.fromkeys(slowest[: rung.going], end - before))
        before = end
    finished = steps(ladder, epochs)[-1][0]  # all of them, if there is one epoch only
    return seeds * (total + ends.seconds(dict.fromkeys(slowest[:finished], 1)))
