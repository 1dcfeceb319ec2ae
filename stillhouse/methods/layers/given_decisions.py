"""Decisions fixed in advance, which no policy makes."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...method import Spot


class GivenDecisions(nn.Module):
    """Decisions at some of P places, the same for every sample.

    Args:
        places: P.
        decisions: On or off by the number of the place; elsewhere a policy's decisions count.
        reverse: At places that are not fixed, be active where the decision is off.
    """

    free: Tensor  # (P,) True where nothing is fixed
    answer: Tensor  # (P,) ones and zeros, the fixed decisions elsewhere

    def __init__(self, places: int, decisions: Mapping[int, bool], reverse: bool = False):
        super().__init__()
        self.decisions, self.reverse = dict(decisions), reverse
        answers = [float(self.decisions.get(place, False)) for place in range(places)]
        self.register_buffer("free", torch.tensor([i not in self.decisions for i in range(places)]), persistent=False)
        self.register_buffer("answer", torch.tensor(answers), persistent=False)

    def forward(self, made: Tensor) -> Tensor:
        """(N, P) decisions or their probabilities -> the same with the fixed ones in place"""
        return torch.where(self.free, made, self.answer)

    def active(self, decided: Tensor) -> Tensor:
        """(N, P) decisions as `forward` returns them -> (N, P) ones where a sample is active"""
        return torch.where(self.free, 1 - decided, decided) if self.reverse else decided


def by_place(fixed: Mapping[str, bool], place: Mapping[Spot, int], elsewhere: bool | None = None) -> dict[int, bool]:
    """Turn fixed decisions, keyed by the student's name of a spot, into decisions by the number of the place.

    Args:
        elsewhere: The fixed decision at all other places, if any.

    Raises:
        ValueError: If a name is not that of a spot.
    """
    known = ", ".join(dict.fromkeys(spot.student for spot in place))
    unknown = [name for name in fixed if name not in {spot.student for spot in place}]
    if unknown:
        raise ValueError(f"fixed must name spots of its terms, {known}, not {unknown[0]!r}")
    given = {} if elsewhere is None else dict.fromkeys(place.values(), elsewhere)
    return given | {number: fixed[spot.student] for spot, number in place.items() if spot.student in fixed}
