"""One optimiser step from loss terms: gradients, clipping, the update, the learning rate."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from .. import distributed
from ..distillation import Phase
from .capture.host_access import NotCapturable
from .config import TrainConfig
from .doctor.gradients import LossDoctor
from .dot import DOT


class Optimizer:
    """SGD or DOT over a phase's parameter groups, with weight decay, clipping and the learning rate.

    Args:
        phase: Holds the parameters and their settings relative to the config's.
        config: The settings.
    """

    def __init__(self, phase: Phase, config: TrainConfig):
        self.config, self.phase = config, phase
        groups = [
            {
                "params": list(group.parameters),
                "lr_scale": group.lr_scale,
                "weight_decay": config.weight_decay if group.weight_decay is None else group.weight_decay,
            }
            for group in phase.groups
        ]
        self._lrs: list[float] = []  # of the groups
        self._update: torch.optim.SGD | DOT
        if config.optimizer == "dot":
            self._update = DOT(groups, config.lr, config.momentum, config.dot_delta)
        else:
            self._update = torch.optim.SGD(groups, config.lr, config.momentum, nesterov=config.nesterov, fused=True)
        self.parameters = [p for group in phase.groups for p in group.parameters]
        self.doctor = LossDoctor(phase.trunk)
        self.set_lr(0.0)

    @property
    def lr(self) -> float:
        """The learning rate of the first group, which is the student's."""
        return self._lrs[0]

    def begin_step(self, epoch: float) -> None:
        """Count a step, and follow the schedule to this point of the phase."""
        self.doctor.count()
        self.set_lr(epoch)

    def set_lr(self, epoch: float) -> None:
        """Follow the schedule to this point of the phase."""
        if self.phase.follows_schedule:
            lr = self.config.lr_at(epoch)
        else:
            lr = self.config.lr if self.phase.lr is None else self.phase.lr
        before, self._lrs = self._lrs, [lr * group["lr_scale"] for group in self._update.param_groups]
        for i, group in enumerate(self._update.param_groups):
            if not isinstance(group["lr"], Tensor):
                group["lr"] = _as_kept(self._lrs[i], group["params"][0].device)
            elif before[i] != self._lrs[i]:
                group["lr"].fill_(self._lrs[i])

    def lr_as_tensors(self) -> None:
        """Keep learning rates on the device from now on, so that a graph can read them.

        Raises:
            NotCapturable: If the optimiser takes only numbers.
        """
        if isinstance(self._update, DOT):
            raise NotCapturable("DOT takes its learning rate as a number")
        for group, value in zip(self._update.param_groups, self._lrs, strict=True):
            device = group["params"][0].device
            group["lr"] = torch.full((), value, dtype=_kept_in(device), device=device)

    def step(self, terms: Mapping[str, Tensor]) -> None:
        """Update once from the sum of the terms, each ().

        Raises:
            ValueError: If no term depends on anything that is trained.
        """
        if not any(term.requires_grad for term in terms.values()):
            raise ValueError(
                f"in the phase {self.phase.name!r} nothing depends on {' and '.join(terms)}; add a method that trains "
                f"something then, such as CE"
            )
        self.doctor.look(terms)
        if isinstance(self._update, DOT):
            task = [term for name, term in terms.items() if name in self.phase.tasks]
            distillation = [term for name, term in terms.items() if name not in self.phase.tasks]
            self._update.follow(task, distillation)
            return
        self._update.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        distributed.average(parameter.grad for parameter in self.parameters)
        if self.config.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self._update.step()

    def state_dict(self) -> dict[str, Any]:
        state = self._update.state_dict()
        for group, lr in zip(state["param_groups"], self._lrs, strict=True):
            group["lr"] = lr  # a number, even if it was a tensor
        return {**state, "doctor": self.doctor.state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict` of an optimiser over the same parameters.

        Raises:
            ValueError: If it belongs to other parameter groups.
        """
        self._update.load_state_dict({name: value for name, value in state.items() if name != "doctor"})
        self.doctor.restore(state.get("doctor"))
        self._lrs = [group["lr"] for group in self._update.param_groups]


def _kept_in(device: torch.device) -> torch.dtype:
    """Return the number format in which PyTorch's fused SGD reads a learning rate that is a tensor."""
    return torch.float64 if device.type == "cpu" else torch.float32


def _as_kept(lr: float, device: torch.device) -> float:
    """Return a learning rate as rounded as a tensor holds it: steps with and without a graph are then the same."""
    return torch.tensor(lr, dtype=_kept_in(device)).item() if device.type != "cpu" else lr
