"""The first guesses of a network for the test images, kept with its run: runs are compared without the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .evaluation import Scores

FILE = "predictions.safetensors"
_TYPES = {"guesses": torch.int32, "confidence": torch.float32, "labels": torch.int32}


@dataclass(frozen=True)
class Predictions:
    """The first guess for every test image, in the order of the data.

    Args:
        guesses: (N,) int32, the class that is most likely for the network.
        confidence: (N,) float32, the probability that it gives that class.
        labels: (N,) int32.
    """

    guesses: Tensor
    confidence: Tensor
    labels: Tensor

    @classmethod
    def of(cls, scores: Scores) -> Predictions:
        """Return what a network's logits say; equal logits are decided as `Scores.top1` decides them."""
        guesses = scores.logits.argmax(1)
        probabilities = scores.logits.double().softmax(1)
        confidence = probabilities.gather(1, guesses[:, None])[:, 0]
        return cls(guesses.int().cpu(), confidence.float().cpu(), scores.labels.int().cpu())

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        return save({name: getattr(self, name).contiguous() for name in _TYPES})

    @property
    def correct(self) -> Tensor:
        """(N,) bool"""
        return self.guesses == self.labels


def read_predictions(folder: Path) -> Predictions | None:
    """Return what a finished run guessed; None for a run that did not keep it, as before version 0.2.

    Raises:
        ValueError: If the file does not hold that.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        tensors = load(path.read_bytes())
    except SafetensorError as error:
        raise _damaged(path, str(error)) from error
    if {name: value.dtype for name, value in tensors.items()} != _TYPES:
        raise _damaged(path, f"it holds {', '.join(sorted(tensors)) or 'nothing'}")
    if len({value.shape for value in tensors.values()}) > 1 or tensors["labels"].ndim != 1:
        raise _damaged(path, "its columns have other lengths")
    return Predictions(**tensors)


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is damaged ({why}); restore it, or move {path.parent} away to train again")
