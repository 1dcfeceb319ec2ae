"""Options of `stillhouse export`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ...ranges import TYPE_CHECKING, ExportKind, NonNegative, Range, Seed, check_options
from ..groups.data import DataOptions
from .evaluate import OF_RUN, Evaluate

if TYPE_CHECKING:
    from ...export.outcome import Order
    from ...export.student import Student


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
    to: ExportKind = "onnx"
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
        timing: Time the student and the file in batches of 1 and 32, once the file is proven and written.
        compiled: Time the student compiled by torch.compile as well, which takes up to a minute.
    """

    max_drop: NonNegative = 0.5
    calibration: Annotated[int, Range("between 1 and 100,000", 1, 100_000)] = 256
    seed: Seed = 0
    timing: bool = True
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
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return OF_RUN

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the data of the student's run, and the options with which its images were read."""
        return Evaluate.implied(values, typed)

    def order(self, student: Student) -> Order:
        """Return what is to be made.

        Raises:
            ValueError: If it is not clear where.
        """
        from ...export.outcome import Order

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
            timed=proof.timing,
            compiled=proof.compiled,
            overwrite=asked.overwrite,
        )
