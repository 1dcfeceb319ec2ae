"""From what a user types to a network: zoo, `timm:NAME`, `torchvision:NAME`, `module:callable`, `file.py:callable`."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from ..rng import seeded
from ..spelling import nearest
from ..user_code import load_object, one_line, source_files
from . import zoo


def network(name: str, num_classes: int, image_size: int, *, seed: int = 0, pretrained: bool = False) -> nn.Module:
    """Build a network with freshly initialised weights.

    Args:
        name: A network of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`, or a callable of your
            own as `package.module:callable` or `file.py:callable`, which is given `num_classes` if it takes it.
        image_size: Of the data, for networks that are built for one size (vision transformers).
        seed: The weights are a function of it and of the name.
        pretrained: Start from the weights that timm or torchvision offer instead.

    Raises:
        ValueError: If there is no such network, the sentence names the nearest ones; or if it cannot be built so.
    """
    source, _, rest = name.partition(":")
    if pretrained and source not in ("timm", "torchvision"):
        raise ValueError(f"nobody offers pretrained weights for {name}, only for timm:NAME and torchvision:NAME")
    builder: Callable[[], object]
    if not source or not rest:
        builder = partial(zoo, name, num_classes)
    elif source == "timm":
        builder = _timm(rest, num_classes, image_size, pretrained)
    elif source == "torchvision":
        builder = _torchvision(rest, num_classes, image_size, pretrained)
    else:
        builder = _own(source, rest, num_classes)
    with seeded(seed, f"init {name.rpartition('/')[2]}"):
        return _built(name, builder, f"{num_classes} classes and images of {image_size} px")


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


def _timm(name: str, num_classes: int, image_size: int, pretrained: bool) -> Callable[[], object]:
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"timm:{name} needs timm; install it with: pip install 'stillhouse[timm]'") from error
    if not timm.is_model(name.partition(".")[0]):
        raise ValueError(f"timm has no {name!r}.{nearest(name, timm.list_models())}")
    create = partial(timm.create_model, name, pretrained=pretrained, num_classes=num_classes)

    def build() -> object:
        try:
            return create(img_size=image_size)
        except TypeError:  # convolutional networks take every size
            return create()

    return build


def _torchvision(name: str, num_classes: int, image_size: int, pretrained: bool) -> Callable[[], object]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(f"torchvision has no {name!r}.{nearest(name, known)}")
    builder = models.get_model_builder(name)
    options: dict[str, object] = {"num_classes": num_classes}
    if name.startswith("vit_"):
        options["image_size"] = image_size
    if name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}

    def build() -> object:
        model: nn.Module = builder(weights=None, **options)
        if pretrained:  # all that fits: not the head of other classes, nor positions in images of another size
            own = model.state_dict()
            offered = builder(weights="DEFAULT").state_dict()
            fits = {key: value for key, value in offered.items() if key in own and value.shape == own[key].shape}
            model.load_state_dict(fits, strict=False)
        return model

    return build


def _own(module: str, attribute: str, num_classes: int) -> Callable[[], object]:
    builder = load_object(module, attribute)
    if not callable(builder):
        raise ValueError(f"{module}:{attribute} is a {type(builder).__name__}; name a function or class that builds")
    takes = inspect.signature(builder).parameters
    named = "num_classes" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
    return partial(builder, num_classes=num_classes) if named else builder


def is_ours(name: str) -> bool:
    """Tell whether a name is the zoo's, timm's or torchvision's: building it runs nobody else's code."""
    return name.partition(":")[0] in ("timm", "torchvision", name)


def network_files(name: str) -> list[Path]:
    """The file of `package.module:callable` or `file.py:callable`, and what it imports of the user's own.

    What they hold decides what the network is.
    """
    if is_ours(name):
        return []
    return source_files(name.rpartition(":")[0])
