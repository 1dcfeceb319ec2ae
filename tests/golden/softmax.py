"""Probabilities and divergences the slow way, on lists."""

from collections.abc import Sequence
from math import exp, log


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    odds = [exp(logit / temperature) for logit in logits]
    return [one / sum(odds) for one in odds]


def kl(teacher: Sequence[float], student: Sequence[float]) -> float:
    """Of two distributions."""
    return sum(t * log(t / s) for t, s in zip(teacher, student, strict=True) if t > 0)


def but(values: Sequence[float], label: int) -> list[float]:
    """All but the label's."""
    return [value for c, value in enumerate(values) if c != label]
