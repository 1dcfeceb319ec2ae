"""Options for the number of epochs, whose defaults depend on the data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from ...ranges import TYPE_CHECKING, Range, check_options
from ...training.config import MOST, TrainConfig

if TYPE_CHECKING:
    from ...data import Data

EPOCHS = {"digits": 4}  # see `words.suited`; other data get the protocol's 240
EPOCHS_ON_DISK = 90  # images too large for memory: the ImageNet protocol


@dataclass(frozen=True)
class EpochOptions:
    """Length of the training.

    Args:
        epochs: Passes over the training set (the last one gives the result); by default 4 for digits, 90 for images
            too large for memory, 240 for all others.
    """

    epochs: int | None = None

    def complete(self, config: TrainConfig, data: Data) -> TrainConfig:
        """Return the configuration with the requested number of epochs, or the default for the data."""
        from ...data import Folder

        suited = EPOCHS_ON_DISK if isinstance(data.train, Folder) else EPOCHS.get(data.name, TrainConfig.epochs)
        return dataclasses.replace(config, epochs=suited if self.epochs is None else self.epochs)


@dataclass(frozen=True)
class TeacherEpochOptions:
    """Length of the training.

    Args:
        teacher_epochs: Epochs of a teacher that is trained first; by default those of the student, for digits 8.
    """

    teacher_epochs: Annotated[int, Range(f"between 1 and {MOST:,}", 1, MOST)] | None = None

    def __post_init__(self) -> None:
        check_options(self)

    def of(self, config: TrainConfig) -> TrainConfig:
        """Return the configuration that such a teacher is trained with, given that of its students.

        Raises:
            ValueError: If it has fewer epochs than the learning rate needs to rise.
        """
        if self.teacher_epochs is None:
            return config
        if self.teacher_epochs < config.lr_warmup:
            warmup = f"--lr_warmup ({config.lr_warmup:g})"
            raise ValueError(f"--teacher_epochs must be at least {warmup}, not {self.teacher_epochs}")
        return dataclasses.replace(config, epochs=self.teacher_epochs)
