"""The sums of an epoch's loss terms, kept on the device so that no step waits for it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class LossMeter:
    """Adds up named scalars, and remembers when one of them ceased to be a finite number."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._sums = torch.empty(0)  # (T,)
        self._spoilt = torch.empty(0)  # (T,) the first step with something that is not finite, else infinity
        self.steps = 0

    @torch.no_grad()
    def add(self, terms: Mapping[str, Tensor]) -> None:
        """One step's terms; always the same names until `clear`."""
        values = torch.stack([term.detach() for term in terms.values()])
        if self.steps == 0:
            self.names = tuple(terms)
            self._sums, self._spoilt = torch.zeros_like(values), torch.full_like(values, math.inf)
        self.steps += 1
        self._sums += values
        self._spoilt = torch.where(values.isfinite(), self._spoilt, self._spoilt.clamp(max=self.steps))

    def means(self) -> dict[str, float]:
        """Averages over the steps so far; waits for the device."""
        return {name: total / self.steps for name, total in zip(self.names, self._sums.tolist(), strict=True)}

    def spoilt(self) -> tuple[str, int] | None:
        """The term that was first not a finite number, and in which step; waits for the device."""
        steps = dict(zip(self.names, self._spoilt.tolist(), strict=True))
        name = min(steps, key=lambda term: steps[term], default="")
        return (name, int(steps[name])) if name and math.isfinite(steps[name]) else None

    def state(self) -> dict[str, object]:
        return {"names": list(self.names), "sums": self._sums, "steps": self.steps}

    def restore(self, state: Mapping[str, object], device: torch.device) -> None:
        names, sums, steps = state["names"], state["sums"], state["steps"]
        assert isinstance(names, list)
        assert isinstance(sums, Tensor)
        assert isinstance(steps, int)
        self.names, self._sums, self.steps = tuple(names), sums.to(device, copy=True), steps
        self._spoilt = torch.full_like(self._sums, math.inf)
