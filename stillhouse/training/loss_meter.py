"""The sums of an epoch's loss terms, kept on the device so that no step waits for it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class LossMeter:
    """Adds up named scalars, and remembers the first step at which one of them became NaN or infinite."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._sums = torch.empty(0)  # (T,)
        self._bad_since = torch.empty(0)  # (T,) the first step with NaN or infinity, else infinity
        self.steps = 0

    @torch.no_grad()
    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add one step's terms, each (); the names are the same in every step."""
        values = torch.stack([term.detach() for term in terms.values()])
        if self.steps == 0:
            self.names = tuple(terms)
            self._sums, self._bad_since = torch.zeros_like(values), torch.full_like(values, math.inf)
        self.steps += 1
        self._sums += values
        self._bad_since = torch.where(values.isfinite(), self._bad_since, self._bad_since.clamp(max=self.steps))

    def means(self) -> dict[str, float]:
        """Return averages over the steps so far; waits for the device."""
        return {name: total / self.steps for name, total in zip(self.names, self._sums.tolist(), strict=True)}

    def first_not_finite(self) -> tuple[str, int] | None:
        """Return the term that was first NaN or infinite, and in which step; waits for the device."""
        steps = dict(zip(self.names, self._bad_since.tolist(), strict=True))
        name = min(steps, key=lambda term: steps[term], default="")
        return (name, int(steps[name])) if name and math.isfinite(steps[name]) else None

    def state(self) -> dict[str, object]:
        return {"names": list(self.names), "sums": self._sums, "steps": self.steps}

    def restore(self, state: Mapping[str, object], device: torch.device) -> None:
        """Continue from `state`.

        Raises:
            ValueError: If it is no such state, or one with NaN or infinity.
        """
        names, sums, steps = (state.get(name) for name in ("names", "sums", "steps"))
        if not (
            isinstance(names, list)
            and isinstance(sums, Tensor)
            and isinstance(steps, int)
            and all(isinstance(name, str) for name in names)
            and sums.shape == (len(names),)
            and sums.isfinite().all()
            and (steps > 0) == bool(names)
        ):
            raise ValueError("the sums of the losses cannot be read")
        self.names, self._sums, self.steps = tuple(names), sums.to(device, copy=True), steps
        self._bad_since = torch.full_like(self._sums, math.inf)
