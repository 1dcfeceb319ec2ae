"""The gate: an exported file is measured on all held-out images beside the student, and refused if they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

BATCHES = (1, 32)  # images at once
LEAST_SAME = 99.9  # percent of equal first guesses, of a file that is not quantised
MOST_RELATIVE = 1e-4  # difference of outputs, as a share of the largest output

Outputs = Callable[[Tensor], Tensor]  # (N, 3, S, S) uint8 -> (N, C)


@dataclass
class Tally:
    """Guesses of a network in batches of one size, beside the student's."""

    images: int = 0
    right: int = 0
    same: int = 0  # first guesses equal to the student's
    difference: float = 0.0  # the largest of any output
    problem: str = ""  # why it could not be run

    def add(self, outputs: Tensor, expected: Tensor, labels: Tensor) -> None:
        """Count a batch: (N, C), (N, C), (N,)."""
        if outputs.shape != expected.shape:
            self.problem = f"it returns {tuple(outputs.shape[1:])} numbers an image, not {tuple(expected.shape[1:])}"
        elif not outputs.isfinite().all():
            self.problem = "it returns NaN or infinity"
        if self.problem:
            return
        guesses = outputs.argmax(1)
        self.images += len(outputs)
        self.right += int((guesses == labels).sum())
        self.same += int((guesses == expected.argmax(1)).sum())
        self.difference = max(self.difference, float((outputs - expected).abs().max()))

    @property
    def top1(self) -> float:
        return 100 * self.right / max(1, self.images)

    @property
    def same_percent(self) -> float:
        return 100 * self.same / max(1, self.images)


@dataclass
class Verdict:
    """An exported file beside the student, on all held-out images.

    Args:
        student: The student in PyTorch.
        tallies: The file, by the size of its batches.
        largest: The largest output of the student, without its sign.
        alike: Images for which batches of both sizes lead to the same first guess.
    """

    student: Tally = field(default_factory=Tally)
    tallies: dict[int, Tally] = field(default_factory=dict)
    largest: float = 0.0
    alike: int = 0

    @property
    def drop(self) -> float:
        """Points of accuracy lost, in the worse of the batch sizes."""
        return max(self.student.top1 - one.top1 for one in self.tallies.values())

    @property
    def same_percent(self) -> float:
        return min(one.same_percent for one in self.tallies.values())

    @property
    def difference(self) -> float:
        return max(one.difference for one in self.tallies.values())

    @property
    def relative(self) -> float:
        return self.difference / max(self.largest, 1e-12)

    def failures(self, max_drop: float, is_quantised: bool) -> list[str]:
        """Return what is wrong with the file, a clause each; empty if it passes."""
        found = [f"in batches of {size}: {one.problem}" for size, one in self.tallies.items() if one.problem]
        if found:
            return found
        if self.drop > max_drop:
            lowest = min(one.top1 for one in self.tallies.values())
            found.append(
                f"it is right on {lowest:.2f} % of the held-out images, the student on {self.student.top1:.2f} %: "
                f"{self.drop:.2f} points less, and --max_drop is {max_drop:g}"
            )
        alike = 100 * self.alike / max(1, self.student.images)
        if alike < LEAST_SAME:
            found.append(f"it guesses the same in batches of {_sizes(self.tallies)} for {alike:.2f} % of the images")
        if not is_quantised and self.same_percent < LEAST_SAME:
            found.append(f"it guesses as the student does for {self.same_percent:.2f} % of the images")
        if not is_quantised and self.relative > MOST_RELATIVE:
            found.append(
                f"its outputs differ from the student's by up to {self.difference:.2g}, {self.relative:.2g} of the "
                f"largest"
            )
        return found


def _sizes(tallies: Iterable[int]) -> str:
    return " and ".join(map(str, tallies))


def judge(batches: Iterable[tuple[Tensor, Tensor]], student: Outputs, file: Outputs) -> Verdict:
    """Run the student and the file on all images; the file in batches of each size.

    Args:
        batches: Pixels (N, 3, S, S) uint8 and labels (N,), at most the largest of `BATCHES` at once.
        student: Returns what the file ought to return.
    """
    verdict = Verdict(tallies={size: Tally() for size in BATCHES})
    for pixels, labels in batches:
        expected = student(pixels)
        verdict.student.add(expected, expected, labels)
        verdict.largest = max(verdict.largest, float(expected.abs().max()))
        guesses = []
        for size, tally in verdict.tallies.items():
            outputs = None if tally.problem else _run(file, pixels, size, tally)
            if outputs is not None:
                tally.add(outputs, expected, labels)
                guesses.append(outputs.argmax(1))
        if len(guesses) == len(BATCHES):
            verdict.alike += int((guesses[0] == guesses[1]).sum())
    return verdict


def _run(file: Outputs, pixels: Tensor, size: int, tally: Tally) -> Tensor | None:
    try:
        return torch.cat([file(part) for part in torch.split(pixels, size)])
    except ValueError as error:
        tally.problem = str(error)
        return None
