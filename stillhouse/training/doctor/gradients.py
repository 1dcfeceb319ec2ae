"""The gradient of each loss term in some of the first steps, measured beside training without touching it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ... import distributed

LOOKS = (1, 3, 10, 30, 100)  # steps of a phase, counted from 1
Norms = dict[int, dict[str, float]]  # by step and term


class LossDoctor:
    """Measures the norm of each term's gradient at the trunk.

    The trunk is all of the student but its classifier. A term's norm is that of its gradient over all parameters of the
    trunk, weight included: how far a step of SGD would move the trunk for this term alone. A term that reaches some
    layers only, such as a hint at the first stage, is measured by these.

    A look takes a backward pass for each term, through the graph of the step, before the step's own backward pass. That
    one then finds the graph as it would be, so training is the same, bit for bit, with and without.

    Args:
        trunk: Parameters of the student without its classifier; none for phases that are not looked at.

    Attributes:
        norms: What was found, by step and term.
        obstacle: The reason, in a clause, why no more is measured.
    """

    def __init__(self, trunk: Sequence[nn.Parameter] = ()):
        self.trunk = trunk
        self.step = 0  # the present one, counted from 1
        self.norms: Norms = {}
        self.obstacle: str | None = None
        self.is_told = False  # what was found was shown

    def count(self) -> None:
        """Count a step that begins."""
        self.step += 1

    @property
    def is_due(self) -> bool:
        """Return True if the present step is one of those that are looked at."""
        return self.step in LOOKS and self.obstacle is None and bool(self.trunk)

    @property
    def is_complete(self) -> bool:
        """Return True after the last look."""
        return self.step >= LOOKS[-1]

    def look(self, terms: Mapping[str, Tensor]) -> None:
        """Measure the terms of a step, each (), before its backward pass; waits for the device."""
        if not self.is_due or len(terms) < 2:
            return
        try:
            norms = torch.stack([self._norm(term) for term in terms.values()]).tolist()
        except RuntimeError as error:  # a network may not allow a second pass; training goes on without
            self.obstacle = " ".join(str(error).split())[:200]
            return
        if all(math.isfinite(norm) for norm in norms):
            self.norms[self.step] = dict(zip(terms, norms, strict=True))

    def _norm(self, term: Tensor) -> Tensor:
        """() -> () float64, 0 for a term on which nothing in the trunk depends"""
        nothing = torch.zeros((), dtype=torch.float64, device=term.device)
        if not term.requires_grad:
            return nothing
        found = torch.autograd.grad(term, list(self.trunk), retain_graph=True, allow_unused=True)
        gradients = [gradient for gradient in found if gradient is not None]
        distributed.average(gradients)
        return (
            torch.stack([nothing, *(torch.linalg.vector_norm(one).double() for one in gradients)]).square().sum().sqrt()
        )

    def stop(self, why: str) -> None:
        """Measure nothing from now on, for this reason."""
        self.obstacle = why

    def state(self) -> dict[str, object]:
        """Return what a resumed run needs."""
        return {"step": self.step, "norms": self.norms, "obstacle": self.obstacle}

    def restore(self, state: object) -> None:
        """Continue from `state`; None for a run of a version that had no doctor.

        Raises:
            ValueError: If it is not such a state.
        """
        if state is None:
            self.stop("the run was begun with a version that did not measure it")
            return
        match state:
            case {"step": int(step), "norms": dict(norms), "obstacle": str() | None as obstacle}:
                self.step, self.norms, self.obstacle = step, readable(norms), obstacle
            case _:
                raise ValueError("the norms of the gradients cannot be read")
        self.is_told = self.is_complete


def readable(found: object) -> Norms:
    """Return norms as they were saved, also in JSON, whose names are text; none for None.

    Raises:
        ValueError: If they are not norms by step and term.
    """
    norms: Norms = {}
    if not isinstance(found, dict | None):
        raise ValueError("the norms of the gradients cannot be read")
    for step, terms in (found or {}).items():
        if not (str(step).isdigit() and isinstance(terms, dict)):
            raise ValueError("the norms of the gradients cannot be read")
        for name, norm in terms.items():
            if not (isinstance(name, str) and isinstance(norm, int | float) and 0 <= norm < math.inf):
                raise ValueError("the norms of the gradients cannot be read")
        norms[int(str(step))] = {name: float(norm) for name, norm in terms.items()}
    return norms
