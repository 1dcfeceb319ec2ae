"""The wrong guesses of a student that it is most sure of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..data import Data, Folder
from .measured import Measured

LISTED = 100  # mistakes in the table


@dataclass(frozen=True)
class Mistake:
    """A wrong guess.

    Args:
        index: Place of the image among the held-out ones, from 0.
        file: Its file, or its name in one; None for images of data in memory.
        label: Its class.
        guess: What the student takes it for.
        confidence: The student's probability for that, in percent.
        others: True for each other network that is right, by role.
    """

    index: int
    file: str | None
    label: int
    guess: int
    confidence: float
    others: Mapping[str, bool]


def worst(networks: Sequence[Measured], data: Data, most: int = LISTED) -> list[Mistake]:
    """Return the student's wrong guesses, the most confident first, equal ones in the order of the data."""
    student = networks[0].predictions
    wrong = (~student.correct).nonzero().flatten()
    ranked = wrong[student.confidence[wrong].argsort(descending=True, stable=True)][:most]
    return [
        Mistake(
            index=i,
            file=str(data.test.paths[i]) if isinstance(data.test, Folder) else None,
            label=int(student.labels[i]),
            guess=int(student.guesses[i]),
            confidence=100 * float(student.confidence[i]),
            others={one.role: bool(one.predictions.correct[i]) for one in networks[1:]},
        )
        for i in ranked.tolist()
    ]
