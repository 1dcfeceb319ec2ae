"""What a step does with its loss terms: gradients, clipping, the update, the learning rate."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .. import distributed
from ..method import Phase
from .config import TrainConfig
from .dot import DOT


class Optimizer:
    """SGD over a phase's parameter groups, with everything around its step: decay, clipping, the learning rate.

    Args:
        phase: Names the parameters and their settings relative to the recipe's.
        recipe: The settings.
    """

    def __init__(self, phase: Phase, recipe: TrainConfig):
        self.recipe, self.phase = recipe, phase
        groups = [
            {
                "params": list(group.parameters),
                "lr_scale": group.lr_scale,
                "weight_decay": recipe.weight_decay if group.weight_decay is None else group.weight_decay,
            }
            for group in phase.groups
        ]
        self.sgd: torch.optim.SGD | DOT
        if recipe.optimizer == "dot":
            self.sgd = DOT(groups, recipe.lr, recipe.momentum, recipe.dot_delta)
        else:
            self.sgd = torch.optim.SGD(groups, recipe.lr, recipe.momentum, nesterov=recipe.nesterov, fused=True)
        self.parameters = [p for group in phase.groups for p in group.parameters]
        self.set_lr(0.0)

    def set_lr(self, epoch: float) -> None:
        """Follow the schedule to this point of the phase."""
        if self.phase.follows_schedule:
            lr = self.recipe.lr_at(epoch)
        else:
            lr = self.recipe.lr if self.phase.lr is None else self.phase.lr
        for group in self.sgd.param_groups:
            group["lr"] = lr * group["lr_scale"]

    def step(self, terms: Mapping[str, Tensor]) -> None:
        """One update from the sum of the terms.

        Raises:
            ValueError: If no term depends on anything that is trained.
        """
        if not any(term.requires_grad for term in terms.values()):
            raise ValueError(
                f"in the phase {self.phase.name!r} nothing is learned from {' and '.join(terms)}; add a method that "
                f"teaches then, such as CE"
            )
        if isinstance(self.sgd, DOT):
            task = [term for name, term in terms.items() if name in self.phase.tasks]
            distillation = [term for name, term in terms.items() if name not in self.phase.tasks]
            self.sgd.follow(task, distillation)
            return
        self.sgd.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        distributed.average(parameter.grad for parameter in self.parameters)
        if self.recipe.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip_norm)
        self.sgd.step()
