"""All settings of a training except its networks, methods and data."""

import math
from dataclasses import dataclass
from typing import Literal

from ..ranges import NonNegative, Positive, ProperFraction, check_options

MOST = 1_000_000  # epochs, or images a batch: more is a typing error


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation settings. The defaults are the CIFAR-100 protocol of Tian et al. (ICLR 2020), scaled to `epochs`.

    Args:
        epochs: Passes over the training set (the last one gives the result).
        batch_size: Images a step.
        lr: Learning rate of SGD.
        momentum: Momentum of SGD.
        weight_decay: On every parameter, including BatchNorm and biases, as in the protocol.
        nesterov: Use Nesterov's momentum.
        schedule: "steps" multiplies the learning rate by `lr_decay` at each milestone, "cosine" lets it fall to 0.
        milestones: Epochs after which the learning rate drops; below 1 they are fractions of `epochs`.
        lr_decay: Factor of the learning rate at a milestone.
        lr_warmup: Epochs over which the learning rate rises linearly to `lr`.
        clip_norm: Largest joint norm of the gradients of all parameters; 0 for no limit.
        precision: Number format of the networks; losses are always computed in float32.
        optimizer: "sgd", or "dot" for its variant with separate momenta for labels and teacher (see `DOT`).
        dot_delta: Distance of DOT's two momenta from `momentum`.

    Raises:
        ValueError: If a value is out of its range.
    """

    epochs: int = 240
    batch_size: int = 64
    lr: Positive = 0.05
    momentum: ProperFraction = 0.9
    weight_decay: NonNegative = 5e-4
    nesterov: bool = False
    schedule: Literal["steps", "cosine"] = "steps"
    milestones: tuple[float, ...] = (0.625, 0.75, 0.875)
    lr_decay: NonNegative = 0.1
    lr_warmup: NonNegative = 0.0
    clip_norm: NonNegative = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    optimizer: Literal["sgd", "dot"] = "sgd"
    dot_delta: ProperFraction = 0.075

    def __post_init__(self) -> None:
        if not 1 <= self.epochs <= MOST:
            raise ValueError(f"--epochs must be from 1 to {MOST:,}, not {self.epochs}")
        if not 2 <= self.batch_size <= MOST:
            raise ValueError(
                f"--batch_size must be from 2 (BatchNorm needs two images) to {MOST:,}, not {self.batch_size}"
            )
        check_options(self)
        if self.lr_warmup > self.epochs:
            raise ValueError(f"--lr_warmup must be at most --epochs ({self.epochs}), not {self.lr_warmup:g}")
        for milestone in self.milestones:
            if not (0 < milestone < 1 or (1 <= milestone <= MOST and milestone == int(milestone))):
                raise ValueError(
                    f"--milestones must be whole epochs from 1 on, or fractions of --epochs between 0 and 1, not "
                    f"{milestone:g}"
                )
        if self.nesterov and not self.momentum:
            raise ValueError("--nesterov needs a --momentum above 0")
        if self.optimizer == "dot" and not 0 <= self.dot_delta <= min(self.momentum, 0.999 - self.momentum):
            raise ValueError(
                f"--momentum {self.momentum} plus and minus --dot_delta {self.dot_delta} must stay in [0, 1); choose a "
                f"smaller --dot_delta, 0 or more"
            )
        if self.optimizer == "dot" and (self.nesterov or self.clip_norm):
            raise ValueError("--optimizer dot supports neither --nesterov nor --clip_norm; leave them out")

    def lr_at(self, epoch: float) -> float:
        """Return the learning rate after so many epochs, counted from 0, with a fraction inside an epoch."""
        warm = min(1.0, (epoch + 1e-8) / self.lr_warmup) if self.lr_warmup else 1.0
        if self.schedule == "cosine":
            return warm * self.lr * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
        drops = [round(m * self.epochs) if m < 1 else int(m) for m in self.milestones]
        return warm * self.lr * self.lr_decay ** sum(epoch >= drop for drop in drops)

    def epochs_in(self, part: float) -> int:
        """Return the number of epochs in a part of all, from above 0 to 1: at least one."""
        return max(1, math.ceil(round(part * self.epochs, 6)))  # a ninth of 9 is 1

    @property
    def lr_changes_inside_epochs(self) -> bool:
        return self.schedule == "cosine" or self.lr_warmup > 0
