"""Steps before and after a trained network that fit it to the data: their normalisation and their classes.

Callers of the network need not know of these steps. Each is a buffer that no state dict holds and a hook that reads it,
so both follow the network to its device and into copies, and its weights keep their names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .input_spec import Channels

_SCALE, _SHIFT, _ORDER = "renormalise_scale", "renormalise_shift", "class_order"


def renormalise(model: nn.Module, given: tuple[Channels, Channels], wanted: tuple[Channels, Channels]) -> None:
    """Let a network take images with a normalisation other than the one it was trained with.

    A normalisation is affine in each channel, so one more affine step brings the images to the network's:
    x s / s' + (m - m') / s'. This is exact except for rounding: in float32 the images differ from directly normalised
    ones by less than 1e-6 of their range. If both normalisations are equal, nothing is added.

    Args:
        given: Mean and std that the images come with.
        wanted: Mean and std that the network was trained with.
    """
    if given == wanted:
        for name in (_SCALE, _SHIFT):
            if hasattr(model, name):
                delattr(model, name)
        return
    (mean, std), (own_mean, own_std) = (torch.tensor(values, dtype=torch.float64) for values in (given, wanted))
    kind = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    device = next((p.device for p in model.parameters()), None)
    _register(model, _SCALE, (std / own_std).to(device, kind))
    _register(model, _SHIFT, ((mean - own_mean) / own_std).to(device, kind))
    if _renormalise not in model._forward_pre_hooks.values():
        model.register_forward_pre_hook(_renormalise, prepend=True)


def reorder_classes(model: nn.Module, order: Sequence[int], head: nn.Module | None) -> None:
    """Let a network predict the data's classes: its class `order[i]` becomes class i, others are left out.

    Args:
        head: The linear layer that returns its logits. Its rows are reordered, so that methods that read it find the
            data's classes too. Without such a layer the logits themselves are reordered.
    """
    chosen = torch.tensor(list(order), device=next(model.parameters()).device)
    if isinstance(head, nn.Linear):
        with torch.no_grad():
            head.weight = nn.Parameter(head.weight[chosen], head.weight.requires_grad)
            if head.bias is not None:
                head.bias = nn.Parameter(head.bias[chosen], head.bias.requires_grad)
        head.out_features = len(order)
        return
    _register(model, _ORDER, chosen)
    if _reorder not in model._forward_hooks.values():
        model.register_forward_hook(_reorder)


def adapted(model: nn.Module) -> dict[str, list[float]]:
    """Return the numbers of the steps before and after a network, for caches and runs; empty if there are none."""
    buffers = dict(model.named_buffers(recurse=False))
    return {name: buffers[name].tolist() for name in (_SCALE, _SHIFT, _ORDER) if name in buffers}


def before(model: nn.Module, images: Tensor) -> Tensor:
    """Apply the step before a network to images, for callers that run the network's parts one by one."""
    if not hasattr(model, _SCALE):
        return images
    scale, shift = (model.get_buffer(name).view(3, 1, 1) for name in (_SCALE, _SHIFT))
    return torch.addcmul(shift, images, scale)


def behind(model: nn.Module, logits: Tensor) -> Tensor:
    """Apply the step after a network to logits, for callers that run the network's parts one by one."""
    return logits.index_select(1, model.get_buffer(_ORDER)) if hasattr(model, _ORDER) else logits


def _renormalise(model: nn.Module, args: tuple[object, ...]) -> tuple[object, ...]:
    images, *others = args
    assert isinstance(images, Tensor)
    return (before(model, images), *others)


def _reorder(model: nn.Module, args: tuple[object, ...], logits: Tensor) -> Tensor:
    return behind(model, logits)


def _register(model: nn.Module, name: str, value: Tensor) -> None:
    if hasattr(model, name):
        delattr(model, name)
    model.register_buffer(name, value, persistent=False)
