"""The student that learned by itself, as pictures compare with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..training.predictions import Predictions, read_predictions
from ..training.run_files import Row, read_result, read_rows


@dataclass(frozen=True)
class Baseline:
    """A finished run of the student by itself.

    Args:
        rows: The lines of its metrics.jsonl.
        predictions: Its guesses for the test images; None if the run did not keep them, as before version 0.2.
    """

    rows: Sequence[Row]
    predictions: Predictions | None


def read_baseline(folder: Path, labels: Tensor) -> Baseline:
    """Read a finished run for comparison with a student.

    Args:
        labels: (N,) of the test images that the student is measured on.

    Raises:
        ValueError: If it is not finished, is damaged, or was measured on other images.
    """
    read_result(folder)
    predictions = read_predictions(folder)
    if predictions is not None and not torch.equal(predictions.labels.long(), labels.long()):
        raise ValueError(f"the baseline {folder} was measured on other test images than this run; give one of the same")
    return Baseline(read_rows(folder), predictions)
