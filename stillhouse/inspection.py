"""What a finished distillation learned: `stillhouse inspect` measures it, draws it and lists it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .assembly import NetworkSource, Setting, lesson_taught
from .checkpoints import load_weights, write_atomically
from .classroom import Lesson
from .commands import DistillOptions, teacher_for
from .data import Data
from .display import Display
from .distillation import Distillation
from .evaluation import Scores
from .modes import in_eval_mode
from .outputs import Batch
from .recipe import Recipe
from .report import listing
from .runs import read_result
from .similarity import accuracy_by_class, alignment, calibration_error, divergence, logit_difference, mean_by_class
from .streams import stream
from .taps import Tapped

BATCH = 128
SHOWN = 8  # images at either end of a contact sheet's row
NAMED = 10  # classes in a picture of embeddings


@dataclass(frozen=True)
class InspectOptions:
    """What to look at.

    Args:
        run: The folder of a finished distillation.
        teacher: Where its teacher is now, if it is no longer where the run found it.
        data: Where its data set is now, likewise.
        images: So many held-out images at most, drawn by lot, are compared in what networks see of them.
        device: Where to compute; auto takes the GPU if there is one.
    """

    run: str
    teacher: str | None = None
    data: str | None = None
    images: int = 1000
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def config(self) -> Path:
        """The configuration of the run.

        Raises:
            ValueError: If it is no finished distillation.
        """
        folder = Path(self.run).expanduser()
        if not folder.is_dir():
            raise ValueError(f"there is no folder {self.run}; give that of a finished run of stillhouse distill")
        read_result(folder)
        path = folder / "config.yaml"
        if not path.is_file() or "\nmethods:" not in f"\n{path.read_text()}":
            raise ValueError(
                f"{self.run} holds a network that learned by itself; give the folder of a run of stillhouse distill"
            )
        return path

    def moved(self) -> dict[str, object]:
        """What is to be taken from here instead of from the configuration."""
        given = {"teacher": self.teacher, "data": self.data}
        here = {"device": self.device, "folder": Path(self.run).expanduser().absolute().parent}
        return here | {name: place for name, place in given.items() if place is not None}
