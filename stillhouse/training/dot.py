"""Distillation-oriented training: SGD with a momentum for the labels and a larger one for the teacher."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .. import distributed


class DOT(torch.optim.Optimizer):
    """DOT: A Distillation-Oriented Trainer (Zhao et al., ICCV 2023, arXiv:2307.08436).

    SGD with two velocities for each parameter: one with momentum - delta, for the gradient of the task's loss including
    weight decay, and one with momentum + delta, for the gradient of the distillation losses. Both are subtracted.
    Parameters that get only one of these gradients have one velocity, with the plain momentum and weight decay.

    It computes gradients itself, in two backward passes over one graph. The authors' code does not apply weight decay
    in the first step to parameters that only distillation reaches.

    Args:
        groups: As for `torch.optim.SGD`, each with its "weight_decay".
        lr: Learning rate.
        momentum: The mean of the two momenta.
        delta: Distance of each momentum from their mean; 0.075 in the paper, and 0.09 for ImageNet.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float = 0.9, delta: float = 0.075):
        super().__init__(groups, {"lr": lr, "momentum": momentum, "delta": delta, "weight_decay": 0.0})

    def follow(self, task: Sequence[Tensor], distillation: Sequence[Tensor]) -> None:
        """Update once from the terms of both kinds, each ()."""
        for_task, for_distillation = self._gradients(task, retain=True), self._gradients(distillation)
        for group in self.param_groups:
            self._move(group, "task", for_task, for_distillation)
        for group in self.param_groups:
            self._move(group, "distillation", for_distillation, for_task)

    def _gradients(self, terms: Sequence[Tensor], retain: bool = False) -> Mapping[nn.Parameter, Tensor]:
        terms = [term for term in terms if term.requires_grad]
        if not terms:
            return {}
        parameters = [p for group in self.param_groups for p in group["params"]]
        gradients = torch.autograd.grad(terms, parameters, retain_graph=retain, allow_unused=True)
        distributed.average(gradients)
        return {p: gradient for p, gradient in zip(parameters, gradients, strict=True) if gradient is not None}

    @torch.no_grad()
    def _move(
        self,
        group: Mapping[str, Any],
        kind: Literal["task", "distillation"],
        gradients: Mapping[nn.Parameter, Tensor],
        others: Mapping[nn.Parameter, Tensor],
    ) -> None:
        delta = -group["delta"] if kind == "task" else group["delta"]
        for shared in (True, False):
            parameters = [p for p in group["params"] if p in gradients and (p in others) == shared]
            if not parameters:
                continue
            velocities = [self._velocity(p, kind) for p in parameters]
            torch._foreach_mul_(velocities, group["momentum"] + (delta if shared else 0.0))
            torch._foreach_add_(velocities, [gradients[p] for p in parameters])
            if kind == "task" or not shared:  # once for each parameter
                torch._foreach_add_(velocities, parameters, alpha=group["weight_decay"])
            torch._foreach_add_(parameters, velocities, alpha=-group["lr"])

    def _velocity(self, parameter: nn.Parameter, kind: str) -> Tensor:
        state = self.state[parameter]
        if f"{kind} velocity" not in state:
            state[f"{kind} velocity"] = torch.zeros_like(parameter)
        velocity: Tensor = state[f"{kind} velocity"]
        return velocity
