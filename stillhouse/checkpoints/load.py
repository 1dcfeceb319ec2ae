"""Load a file's weights into a network: every name and shape must fit, and whatever is left out is reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from ..training.teachers.weights_file import weights_at
from .formats import read_tensors
from .state_dicts import Tensors, Weights, choose

_SHOWN = 3  # names in a sentence
_FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
_HEADS = ("head", "heads", "fc", "classifier", "last_linear", "logits", "head_dist")  # common names of the last layer

Say = Callable[[str], object]


class OtherHead(ValueError):  # noqa: N818 (the name says what is wrong)
    """All weights fit except the classifier, which is for other classes or missing.

    Attributes:
        classes: Number of classes that the file's classifier predicts; None if it has no classifier.
    """

    def __init__(self, message: str, classes: int | None):
        super().__init__(message)
        self.classes = classes


def load_weights(
    model: nn.Module,
    path: Path,
    *,
    key: str | None = None,
    skip_head: bool = False,
    say: Say | None = None,
    option: str = "",
) -> None:
    """Load a file's weights into a network; every name and shape must fit.

    Args:
        path: A file of weights, or the folder of a finished run.
        key: Selects the weights in a file with several sets: "state_dict_ema", "teacher".
        skip_head: Leave the classifier as it is if the file's is for other classes or missing.
        say: Called with a sentence for each choice and each omission.
        option: Prefix of the options' names in messages: "teacher_".

    Raises:
        OtherHead: If everything except the classifier fits.
        ValueError: If names or shapes do not fit, or weights are NaN or infinite; the message names the first.
    """
    path = weights_at(path)
    own = check_state(model)
    tensors, weights_key = read_tensors(path), f"--{option}weights_key"
    weights = _by_former_names(model, path, tensors, own, key) or choose(path, tensors, own, key, weights_key)
    for note in weights.notes:
        (say or str)(f"{path}: {note}")
    reshaped = [name for name, value in weights.values.items() if value.shape != own[name].shape]
    left_out = _check_head(model, path, weights, own, reshaped, skip_head, f"--{option}skip_head")
    if left_out:
        (say or str)(f"{path}: left out the head ({', '.join(left_out)}), which is trained from scratch")
    _check_names(model, path, weights, own)
    _check_shapes(model, path, weights.values, own)
    _check_values(model, path, weights.values, own)
    model.load_state_dict(weights.values, strict=False)


def _by_former_names(
    model: nn.Module, path: Path, tensors: Tensors, own: Mapping[str, Tensor], key: str | None
) -> Weights | None:
    """Return the weights of a file that uses old names for the modules of a network of the zoo."""
    former = getattr(model, "former_names", None)
    if not isinstance(former, dict) or not any(names[-1].endswith(tuple(former.values())) for names in tensors):
        return None
    weights = choose(path, tensors, {former[name]: value for name, value in own.items()}, key)
    present = {old: new for new, old in former.items()}
    values = {present[name]: value for name, value in weights.values.items()}
    return None if weights.missing else replace(weights, values=values)


def check_state(model: nn.Module) -> dict[str, Tensor]:
    """Return a network's state dict, if it can be saved.

    Raises:
        ValueError: If a module has an extra state that is not a tensor.
    """
    state = model.state_dict()
    odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if odd:
        owner = model.get_submodule(odd[0].rpartition(".")[0])
        raise ValueError(
            f"{type(owner).__name__}.get_extra_state returns a {type(state[odd[0]]).__name__} ({odd[0]}), but files of "
            f"weights hold only tensors; return a tensor, or keep it with self.register_buffer(name, tensor)"
        )
    return dict(state)


def _check_head(
    model: nn.Module,
    path: Path,
    weights: Weights,
    own: Mapping[str, Tensor],
    reshaped: list[str],
    skip: bool,
    option: str,
) -> list[str]:
    """Remove a head for other classes from the weights and return its names, or refuse it."""
    heads = head_modules(model)
    ours = [name for name in own if name.rpartition(".")[0] in heads]
    wrong = [name for name in (*reshaped, *weights.missing) if name in ours]
    theirs = [name for name in weights.unexpected if name.partition(".")[0] in (*heads, *_HEADS)]
    is_all = set(wrong) == {*reshaped, *weights.missing} and len(theirs) == len(weights.unexpected)
    if not wrong or not (is_all or skip):
        return []
    matrix = next((name for name in reshaped if name in ours), None)
    count = len(weights.values[matrix]) if matrix and weights.values[matrix].ndim else None
    if not skip:
        size = f"a head for {count:,} classes ({matrix})" if matrix and count else f"no {' or '.join(wrong)}"
        raise OtherHead(
            f"{path} has {size}, but {type(model).__name__} needs {len(own[wrong[0]])} classes; pass {option} true to "
            f"keep the other weights and train a new head, or give weights that were trained for that many classes",
            count,
        )
    for name in ours:
        weights.values.pop(name, None)
    weights.missing[:] = [name for name in weights.missing if name not in ours]
    weights.unexpected[:] = [name for name in weights.unexpected if name not in theirs]
    return [*ours, *theirs]


def head_modules(model: nn.Module) -> tuple[str, ...]:
    """Return the paths of the layers that return logits: declared by the network or by timm, else the last layer."""
    declared = getattr(getattr(model, "anatomy", None), "head", None)
    if isinstance(declared, str):
        return (declared,)
    settings = getattr(model, "pretrained_cfg", None)
    named = settings.get("classifier") if isinstance(settings, dict) else None
    names = (named,) if isinstance(named, str) else tuple(named or ())
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return names if names and all(name in layers for name in names) else tuple(layers[-1:])


def _check_names(model: nn.Module, path: Path, weights: Weights, own: Mapping[str, Tensor]) -> None:
    missing, unexpected = weights.missing, weights.unexpected
    if not missing and not unexpected:
        return
    differences = [f"missing {', '.join(missing[:_SHOWN])}"] if missing else []
    differences += [f"unexpected {', '.join(unexpected[:_SHOWN])}"] if unexpected else []
    raise ValueError(
        f"{path} does not fit {type(model).__name__}: {'; '.join(differences)} ({len(missing)} missing, "
        f"{len(unexpected)} unexpected of {len(own)}); is it the same network?"
    )


def _check_shapes(model: nn.Module, path: Path, values: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    reshaped = [
        f"{name} is {tuple(value.shape)} in the file and {tuple(own[name].shape)} in the network"
        for name, value in values.items()
        if value.shape != own[name].shape
    ]
    if reshaped:
        raise ValueError(
            f"{path} does not fit {type(model).__name__}: {'; '.join(reshaped[:_SHOWN])}; give weights that were "
            f"trained for this number of classes, at this --image_size"
        )


def _check_values(model: nn.Module, path: Path, values: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    parameters = {name for name, _ in model.named_parameters()}
    for name, value in values.items():
        if own[name].is_floating_point() and value.dtype not in _FLOATS:
            kind = str(value.dtype).removeprefix("torch.")
            raise ValueError(f"{path} holds quantised weights ({name} is {kind}); give floating-point weights")
        if not value.is_floating_point():
            continue
        strict = name in parameters or name.rpartition(".")[2].startswith("running_")
        if not (value.isfinite() if strict else ~value.isnan()).all():
            what = "NaN" if value.isnan().any() else "infinity"
            raise ValueError(f"{path}: its weights contain {what} ({name}); load another checkpoint")
