"""Build networks by name: zoo, `timm:NAME`, `torchvision:NAME`, `module:callable`, `file.py:callable`."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..checkpoints.load import Say, check_state
from ..forward import return_logits
from ..modes import in_eval_mode
from ..rng import seeded
from ..spelling import EXAMPLE
from ..user_code import check_file, load_object, one_line, source_files
from . import zoo as untrained
from .libraries import of_timm, of_torchvision


def zoo(name: str, num_classes: int, *, seed: int = 0) -> nn.Module:
    """Build a network of the zoo by its name; its weights are a function of the name and of `seed`, as `network`'s are.

    Raises:
        ValueError: If there is no such network.
    """
    with seeded(seed, f"init {name}"):
        return untrained(name, num_classes)


def network(
    name: str,
    num_classes: int,
    image_size: int,
    *,
    seed: int = 0,
    pretrained: bool = False,
    say: Say | None = None,
    option: str = "",
) -> nn.Module:
    """Build a network with freshly initialised weights that returns logits in float32.

    Args:
        name: A network of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`, or your own callable as
            `package.module:callable` or `file.py:callable`, which is given `num_classes` if it takes it.
        image_size: Of the data, for networks that are built for one size (vision transformers).
        seed: The weights are a function of it and of the name.
        pretrained: Start from the weights that timm or torchvision offer instead.
        say: Called with a sentence for each change to the network.
        option: The prefix of this network's options in messages: "teacher_".

    Raises:
        ValueError: If there is no such network (the message names the nearest ones), or if it cannot be built.
    """
    builder = _builder(name, num_classes, image_size, pretrained, option)
    with seeded(seed, f"init {name.rpartition('/')[2]}"):
        model = _built(name, builder, f"{num_classes} classes and images of {image_size} px")
        _materialise(model, image_size)
    if any(p.is_floating_point() and p.dtype != torch.float32 for p in model.parameters()):
        (say or str)(f"the weights of {name} are not in float32; they are converted to float32")
        model.float()
    check_state(model)
    return return_logits(model)


def check_name(name: str, pretrained: bool = False, option: str = "") -> None:
    """Refuse a network that there is not, without building it or running a user's code; for the rest see `network`.

    Raises:
        ValueError: If there is no such network, or its weights cannot be downloaded.
    """
    if not is_ours(name):
        check_file(name.rpartition(":")[0])
        return
    builder = _builder(name, 10, 32, pretrained, option)
    if ":" not in name.strip(":"):  # of the zoo, which looks names up when it builds
        with torch.device("meta"):
            builder()


def _builder(name: str, num_classes: int, image_size: int, pretrained: bool, option: str) -> Callable[[], object]:
    source, _, rest = name.partition(":")
    if pretrained and source not in ("timm", "torchvision"):
        raise ValueError(f"there are no pretrained weights for {name}, only for timm:NAME and torchvision:NAME")
    if not source or not rest:
        return partial(untrained, name, num_classes)
    if source == "timm":
        return of_timm(rest, num_classes, image_size, pretrained, option)
    if source == "torchvision":
        return of_torchvision(rest, num_classes, image_size, pretrained, option)
    return _own(source, rest, num_classes)


def _built(name: str, builder: Callable[[], object], wanted: str) -> nn.Module:
    try:
        built = builder()
    except ValueError:
        raise
    except Exception as error:  # foreign code can fail in any way
        raise ValueError(f"{name} cannot be built for {wanted}: {one_line(error)}") from error
    if not isinstance(built, nn.Module):
        raise ValueError(f"{name} makes an object of type {type(built).__name__}, not an nn.Module")
    return built


@torch.no_grad()
def _materialise(model: nn.Module, image_size: int) -> None:
    """Give lazy layers their sizes, which they take from the first images."""
    if any(isinstance(p, nn.UninitializedParameter) for p in model.parameters()):
        with in_eval_mode(model):
            model(torch.zeros(2, 3, image_size, image_size))


def _own(module: str, attribute: str, num_classes: int) -> Callable[[], object]:
    builder = load_object(module, attribute)
    if not callable(builder):
        raise ValueError(f"{module}:{attribute} is a {type(builder).__name__}; name a function or class that builds")
    takes = inspect.signature(builder).parameters
    named = "num_classes" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in takes.values() if p.default is p.empty and p.kind not in variadic]
    if others := [name for name in needed if name != "num_classes"]:
        raise ValueError(_call_with(module, attribute, others, named))
    return partial(builder, num_classes=num_classes) if named else builder


def _call_with(module: str, attribute: str, others: list[str], named: bool) -> str:
    """Return a sentence about arguments that a callable needs and is not given, and the lines that give them."""
    place = Path(module).stem if module.endswith(".py") else module
    given = [f"{name}=..." for name in others] + (["num_classes=num_classes"] if named else [])
    only = "num_classes alone" if named else "nothing"
    return (
        f"{module}:{attribute} needs {' and '.join(others)}, and is given {only}; "
        f"call it in a file of your own and name that instead, {EXAMPLE}from {place} import {attribute}\n"
        f"def built(num_classes):\n    return {attribute}({', '.join(given)})\n"
    )


def is_ours(name: str) -> bool:
    """Tell whether a name is that of a network in the zoo, timm or torchvision, so that no user's code is run."""
    return name.partition(":")[0] in ("timm", "torchvision", name)


def network_files(name: str) -> list[Path]:
    """Return the file of `package.module:callable` or `file.py:callable`, and the user's own files that it imports.

    Their content defines the network.
    """
    if is_ours(name):
        return []
    return source_files(name.rpartition(":")[0])
