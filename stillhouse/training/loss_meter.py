"""The sums of an epoch's loss terms, kept on the device so that no step waits for it."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor


class LossMeter:
    """Adds up named scalars, and remembers the first step at which one of them became NaN or infinite."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._sums = torch.empty(0)  # (T,)
        self._bad_since = torch.empty(0)  # (T,) the first step with NaN or infinity, else infinity
        self._peaks = torch.empty(0)  # (T,) the largest finite value of each
        self._steps = torch.zeros((), dtype=torch.int64)

    @property
    def steps(self) -> int:
        """The number of steps so far; waits for the device."""
        return int(self._steps)

    @torch.no_grad()
    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add one step's terms, each (); the names must stay the same until `clear`. Only tensors change."""
        values = torch.stack([term.detach() for term in terms.values()])
        if tuple(terms) != self._names:
            self._names = tuple(terms)
            self._sums, self._bad_since = torch.zeros_like(values), torch.full_like(values, math.inf)
            self._peaks = torch.zeros_like(values)
            self._steps = torch.zeros((), dtype=torch.int64, device=values.device)
        self._steps += 1
        self._sums += values
        bad_since = torch.minimum(self._bad_since, self._steps.to(values.dtype))
        self._bad_since.copy_(torch.where(values.isfinite(), self._bad_since, bad_since))
        self._peaks.copy_(torch.where(values.isfinite(), torch.maximum(self._peaks, values.abs()), self._peaks))

    @torch.no_grad()
    def clear(self) -> None:
        """Start again from zero, in the same tensors."""
        self._sums.zero_()
        self._peaks.zero_()
        self._steps.zero_()
        self._bad_since.fill_(math.inf)

    def means(self) -> dict[str, float]:
        """Return averages over the steps so far; waits for the device."""
        steps = self.steps
        return {name: total / steps for name, total in zip(self._names, self._sums.tolist(), strict=True) if steps}

    def first_not_finite(self) -> tuple[str, int] | None:
        """Return the term that was NaN or infinite first, and the step; waits for the device.

        Of several in one step it is the one that had been the largest.
        """
        steps = dict(zip(self._names, self._bad_since.tolist(), strict=True))
        peaks = dict(zip(self._names, self._peaks.tolist(), strict=True))
        name = min(steps, key=lambda term: (steps[term], -peaks[term]), default="")
        return (name, int(steps[name])) if name and math.isfinite(steps[name]) else None

    def state(self) -> dict[str, object]:
        if not (steps := self.steps):
            return {"names": [], "sums": torch.empty(0), "steps": 0}
        return {"names": list(self._names), "sums": self._sums, "steps": steps}

    def restore(self, state: Mapping[str, object], device: torch.device) -> None:
        """Continue from `state`.

        Raises:
            ValueError: If it is not such a state, or contains NaN or infinity.
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
        self._names, self._sums = tuple(names), sums.to(device, copy=True)
        self._steps = torch.full((), steps, dtype=torch.int64, device=device)
        self._bad_since, self._peaks = torch.full_like(self._sums, math.inf), torch.zeros_like(self._sums)
