"""The inputs of the recorded losses: features of a small student and of a wider teacher, on eight images."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from .closed_form import u

LABELS = torch.arange(8)


def student_maps() -> list[Tensor]:
    """A stem and three stages, at least 0; gradients are recorded for them."""
    shapes = [(8, 4, 8, 8), (8, 4, 8, 8), (8, 6, 4, 4), (8, 8, 2, 2)]
    return [u(shape, seed).clamp(min=0).requires_grad_() for seed, shape in enumerate(shapes, start=1)]


def teacher_maps() -> list[Tensor]:
    shapes = [(8, 6, 8, 8), (8, 6, 8, 8), (8, 10, 4, 4), (8, 12, 4, 4)]
    return [u(shape, seed).clamp(min=0) for seed, shape in enumerate(shapes, start=11)]


def student_vector() -> Tensor:
    return u((8, 8), 5).requires_grad_()


def teacher_vector() -> Tensor:
    return u((8, 12), 15)


def student_logits() -> Tensor:
    return (3 * u((8, 10), 21)).requires_grad_()


def teacher_logits() -> Tensor:
    return 3 * u((8, 10), 22)


@torch.no_grad()
def fill_auxiliary(*modules: nn.Module) -> None:
    """Parameter k of each module becomes 0.3 u(shape; 100 + k)."""
    for module in modules:
        for k, parameter in enumerate(module.parameters()):
            parameter.copy_(0.3 * u(parameter.shape, 100 + k))


def gradient_norm(loss: Tensor, inputs: Sequence[Tensor] | Iterable[nn.Parameter]) -> float:
    """The joint L2 norm of the gradients; 0 for what the loss does not depend on."""
    gradients = torch.autograd.grad(loss, list(inputs), retain_graph=True, allow_unused=True)
    return torch.stack([g.square().sum() for g in gradients if g is not None]).sum().sqrt().item()
