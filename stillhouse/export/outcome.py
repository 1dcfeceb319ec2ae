"""An export as it is asked for, and as it came out: the report that stays beside the file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from .files import SUFFIXES, Kind, check_installed
from .gate import Verdict
from .latency import Latency

REPORT, SCRIPT, FAILED = "export.json", "predict.py", ".failed"


@dataclass(frozen=True)
class Order:
    """An export that is asked for.

    Args:
        kind: Kind of the file.
        folder: Folder to write to.
        with_preprocessing: Take pixels, return probabilities.
        max_drop: Points of accuracy that may be lost.
        calibration: Number of training images by which int8 is calibrated.
        seed: Seed that draws them.
        timed: Time the student and the file.
        compiled: Time the student compiled by torch.compile as well.
        overwrite: Replace an earlier export.
    """

    kind: Kind
    folder: Path
    with_preprocessing: bool = False
    max_drop: float = 0.5
    calibration: int = 256
    seed: int = 0
    timed: bool = True
    compiled: bool = True
    overwrite: bool = False

    @property
    def file(self) -> Path:
        return self.folder / f"student{SUFFIXES[self.kind]}"

    def check(self) -> None:
        """Refuse what cannot be written, before anything is computed.

        Raises:
            ValueError: If libraries are missing, or there is a file already.
        """
        check_installed(self.kind)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"--output {self.folder} is a file; give a folder")
        if not self.folder.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {self.folder.absolute().parent}; create it first")
        names = [self.file.name, REPORT, *([SCRIPT] if SUFFIXES[self.kind] == ".onnx" else [])]
        taken = [name for name in names if os.path.lexists(self.folder / name)]
        if taken and not self.overwrite:
            raise ValueError(
                f"{self.folder / taken[0]} exists; replace it with --overwrite true, or choose another --output"
            )


def earlier_files(folder: Path) -> set[str]:
    """Return the names of the exported file in a folder, as its report has it, and of its script."""
    try:
        name = json.loads((folder / REPORT).read_text())["file"]
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    known = {f"student{suffix}" for suffix in SUFFIXES.values()}
    return {name, *([SCRIPT] if name.endswith(".onnx") else [])} if name in known else set()


@dataclass(frozen=True)
class Outcome:
    """An export and its proof.

    Args:
        verdict: The file beside the student.
        failures: What is wrong with it, a clause each; empty if it may be used.
        file: Where it is.
        sizes: Bytes of the student's weights and of the file.
        times: Of the student, the compiled student and the file: latency by the number of images at once; empty if
            nothing was timed.
        left: Layers that are left in float, the most sensitive first.
        details: Further facts for the report.
    """

    verdict: Verdict
    failures: list[str]
    file: Path
    sizes: dict[str, int]
    times: dict[str, dict[int, Latency]]
    left: Sequence[str] = ()
    details: dict[str, Any] = field(default_factory=dict)


def report(outcome: Outcome, order: Order) -> dict[str, object]:
    """Return the content of the report."""
    verdict = outcome.verdict
    return {
        "passed": not outcome.failures,
        "failures": outcome.failures,
        "file": outcome.file.name,
        "kind": order.kind,
        "with_preprocessing": order.with_preprocessing,
        "images": verdict.student.images,
        "top1_pytorch": verdict.student.top1,
        "max_drop": order.max_drop,
        "batches": {
            str(size): {"top1": one.top1, "same_guess": one.same_percent, "difference": one.difference}
            | ({"problem": one.problem} if one.problem else {})
            for size, one in verdict.tallies.items()
        },
        "relative_difference": verdict.relative,
        **outcome.details,
        "bytes": outcome.sizes,
        "milliseconds": {
            name: {str(size): time.to_dict() for size, time in times.items()} for name, times in outcome.times.items()
        },
        "machine": {"processor": platform.machine(), "cpus": os.cpu_count(), "threads": torch.get_num_threads()},
    }
