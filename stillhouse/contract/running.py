"""Laws about the networks, batches, number formats and devices that a method runs on."""

import traceback
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .specimens import Pair
from .trial import NotApplicable, Subject, Trial, total


def runs_between(pair: Pair, subject: Subject) -> str:
    try:
        trial = Trial(subject.spec, pair, subject.data)
    except ValueError as error:
        cause = error.__cause__ or error
        line = traceback.extract_tb(cause.__traceback__)[-1].line or ""
        if not line.startswith("raise "):  # not a message written for this case
            raise RuntimeError(str(cause)) from cause
        return f"refused: {cause}"
    trial.gradients(trial.losses(subject.batch()))
    return ""


def runs_on_two_images(subject: Subject) -> str:
    trial = subject.trial()
    trial.gradients(trial.losses(subject.batch(size=2)))
    return ""


def runs_in_bfloat16(subject: Subject) -> str:
    trial = subject.trial()
    with torch.autocast("cpu", torch.bfloat16):
        losses = trial.losses(subject.batch())
    trial.gradients(losses)
    return ""


def runs_on_a_gpu(subject: Subject) -> str:
    if not torch.cuda.is_available():
        raise NotApplicable("there is no GPU here")
    trial, batch = subject.trial(), subject.batch()
    trial.teacher.to("cuda")
    trial.distillation.to("cuda")
    moved: dict[str, Any] = {name: value.to("cuda") for name, value in vars(batch).items() if isinstance(value, Tensor)}
    batch = replace(batch, **moved)
    trial.gradients(trial.losses(batch))
    both = trial.outputs(batch)
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True, action="always") as caught:
        torch.cuda.set_sync_debug_mode("warn")
        try:
            total(trial.unweighted(*both, batch))
        finally:
            torch.cuda.set_sync_debug_mode("default")
    waits = [warning for warning in caught if "synchronizing CUDA operation" in str(warning.message)]
    return f"it waits for the GPU in {Path(waits[0].filename).name}, line {waits[0].lineno}" if waits else ""
