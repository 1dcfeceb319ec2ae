"""The verdict of an evaluation in a few sentences: what distillation gained, what it lost, and how small it made it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ..analysis.tables import magnitude
from ..report.intervals import Paired
from ..training.evaluation import size_of
from .measured import Measured, changes


def verdict(networks: Sequence[Measured], image_size: int) -> list[str]:
    """Return the gain over the baseline, the gap to the teacher and the size beside it, a sentence each.

    Args:
        networks: The student first; nothing is said of a student alone.
        image_size: Height and width of an image that they take.
    """
    if len(networks) < 2:
        return []
    others, found = {one.role: one for one in networks[1:]}, changes(networks)
    said = [_compared(_WORDS[role], one.network.short, found[role].change) for role, one in others.items()]
    if "baseline" not in others:
        said.insert(0, "gain: not known without a baseline, the student trained by itself; give --baseline")
    else:
        said.sort(key=lambda sentence: not sentence.startswith("gain"))
    if "teacher" in others:
        said.append(_sizes(networks[0].network.net.model, others["teacher"].network.net.model, image_size))
    return said


_WORDS = {"baseline": "gain over the baseline", "teacher": "gap to the teacher", "against": "against"}


def _compared(what: str, name: str, change: Paired) -> str:
    meaning = "includes zero, so these images cannot tell which is better"
    if change.is_clear:
        meaning = f"excludes zero: the student is {'better' if change.points > 0 else 'worse'}"
    return (
        f"{what} {name}: {change.points:+.2f} points, 95 % interval {change.low:+.2f} to {change.high:+.2f} (paired "
        f"over {change.images:,} images), which {meaning}"
    )


def _sizes(student: nn.Module, teacher: nn.Module, image_size: int) -> str:
    (own, ours), (whole, theirs) = (_size(model, image_size) for model in (student, teacher))
    said = f"size: {_part(own, whole)} of the teacher's parameters"
    return f"{said}, {_part(ours, theirs)} of its MACs" if ours and theirs else f"{said}; MACs could not be counted"


def _part(own: int, whole: int) -> str:
    return f"{100 * own / whole:.3g} % ({magnitude(own)} of {magnitude(whole)})"


def _size(model: nn.Module, image_size: int) -> tuple[int, int]:
    """Return parameters and multiply-accumulates; 0 for the latter if PyTorch cannot count them."""
    try:
        return size_of(model, image_size)
    except (RuntimeError, TypeError, ValueError, AssertionError):  # the user's network
        return sum(one.numel() for one in model.parameters()), 0
