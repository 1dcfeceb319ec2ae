"""`stillhouse export`: a student as a file for other programs, proven on the held-out images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich import box
from rich.table import Table

from ..export.export import export
from ..export.files import Kind
from ..export.gate import BATCHES
from ..export.outcome import Order, Outcome
from ..export.student import Student, open_student
from ..models.spec import NetworkSource
from ..ranges import NonNegative, Range, Seed, check_options
from ..spelling import counted
from ..training.progress import Display
from .data_options import DataOptions, note_on_reading
from .evaluate import Evaluate, digests


@dataclass(frozen=True)
class ExportOptions:
    """Student and file.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network's name with its --weights.
        weights: A file with the network's weights, or the folder of a run, if `model` is a name.
        to: Kind of the file. onnx and int8 are files of ONNX, int8 with layers of 8 bits, calibrated on training
            images; pt2 is PyTorch's exported program.
        with_preprocessing: Put normalisation and softmax into the file: it takes pixels (N, H, W, 3) of 8 bits and
            returns probabilities, instead of normalised images (N, 3, H, W) and logits.
        output: Folder to write to (-o); by default one called after --to in the run's folder.
        overwrite: Replace an earlier export there.
    """

    model: str
    weights: str | None = None
    to: Kind = "onnx"
    with_preprocessing: bool = False
    output: Path | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ProofOptions:
    """Proof of the file.

    Args:
        max_drop: Points of accuracy on the held-out images that the file may lose.
        calibration: Number of training images by which int8 is calibrated.
        seed: Seed that draws these images.
        compiled: Time the student compiled by torch.compile as well, which takes up to a minute.
    """

    max_drop: NonNegative = 0.5
    calibration: Annotated[int, Range("between 1 and 100,000", 1, 100_000)] = 256
    seed: Seed = 0
    compiled: bool = True

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Export:
    """Write a student as a file for other programs, and prove on held-out images that the file says the same."""

    network: ExportOptions
    proof: ProofOptions
    data: DataOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the data of the student's run, and the options with which its images were read."""
        return Evaluate.implied(values, typed)

    def order(self, student: Student) -> Order:
        """Return what is to be made.

        Raises:
            ValueError: If it is not clear where.
        """
        asked, proof = self.network, self.proof
        folder = asked.output or (student.folder / asked.to if student.folder else None)
        if folder is None:
            raise ValueError(f"{asked.model} is not the folder of a run; give a folder for the export as --output (-o)")
        return Order(
            kind=asked.to,
            folder=folder.expanduser(),
            with_preprocessing=asked.with_preprocessing,
            max_drop=proof.max_drop,
            calibration=proof.calibration,
            seed=proof.seed,
            compiled=proof.compiled,
            overwrite=asked.overwrite,
        )


def exported(command: Export, display: Display) -> int:
    """Export, and return the exit code: 1 if the file does not say what the student says."""
    asked = command.network
    student = open_student(NetworkSource(asked.model, asked.weights), display.note)
    order = command.order(student)
    order.check()
    data = command.data.load(
        display, test_only=asked.to != "int8", trained_on=digests(student.found), expected=student.found.input
    )
    display.note(note_on_reading(student.short, student.found.about, command.data))
    outcome = export(student, data, order, display.say)
    display.console.print(table(outcome, asked.to, student.short))
    if outcome.left:
        display.note(
            f"left in float, because the accuracy suffers most from them: {', '.join(outcome.left)} "
            f"({len(outcome.left)} of {counted(len(outcome.left) + len(outcome.details['quantised_layers']), 'layer')})"
        )
    for failure in outcome.failures:
        display.say(f"failed: {failure}")
    if outcome.failures:
        display.say(f"the file is kept as {outcome.file}, for inspection only")
        return 1
    _slower(outcome, asked.to, display)
    display.say(f"{outcome.file}  {outcome.verdict.student.images:,} held-out images")
    return 0


def table(outcome: Outcome, kind: str, title: str) -> Table:
    """Return the student and the file beside each other."""
    verdict = outcome.verdict
    found = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    found.add_column("")
    for name in ("MB", "top-1 %", "same guess %", "largest difference", "relative"):
        found.add_column(name, justify="right")
    for size in BATCHES:
        found.add_column(f"ms for {size} (p50 / p95)", justify="right")
    for name in dict.fromkeys(["PyTorch", *outcome.times, kind]):
        megabytes = f"{outcome.sizes[name] / 1e6:.2f}" if name in outcome.sizes else ""
        cells = [megabytes, f"{verdict.student.top1:.2f}" if name == "PyTorch" else "", "", "", ""]
        if name == kind:
            accuracy = " / ".join(dict.fromkeys(f"{one.top1:.2f}" for one in verdict.tallies.values()))
            cells = [
                megabytes,
                accuracy,
                f"{verdict.same_percent:.2f}",
                f"{verdict.difference:.2g}",
                f"{verdict.relative:.2g}",
            ]
        times = outcome.times.get(name, {})
        found.add_row(name, *cells, *(str(times.get(size, "")) for size in BATCHES))
    return found


def _slower(outcome: Outcome, kind: str, display: Display) -> None:
    """Note a file that is slower than the student that it is to replace."""
    theirs, ours = outcome.times[kind], outcome.times["PyTorch"]
    sizes = [size for size in BATCHES if theirs[size].p50 > ours[size].p50]
    if sizes:
        display.note(f"on this machine {kind} is slower than PyTorch in batches of {' and '.join(map(str, sizes))}")
