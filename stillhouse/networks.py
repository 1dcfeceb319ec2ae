"""From what a user types to a network: zoo, `timm:NAME`, `torchvision:NAME`, `module:callable`, `file.py:callable`."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from torch import nn

from .models import zoo
from .spelling import nearest
from .streams import seeded


def network(name: str, num_classes: int, image_size: int, *, seed: int = 0, pretrained: bool = False) -> nn.Module:
    """Builds a network with freshly initialised weights.

    Args:
        name: A network of the zoo (`stillhouse list models`), `timm:NAME`, `torchvision:NAME`, or a callable of your
            own as `package.module:callable` or `file.py:callable`, which is given `num_classes` if it takes it.
        image_size: Of the data, for networks that are built for one size (vision transformers).
        seed: The weights are a function of it and of the name.
        pretrained: Start from the weights that timm or torchvision offer instead.

    Raises:
        ValueError: If there is no such network; the sentence names the nearest ones.
    """
    source, _, rest = name.partition(":")
    with seeded(seed, f"init {name}"):
        if not rest:
            return zoo(name, num_classes)
        if source == "timm":
            return _timm(rest, num_classes, image_size, pretrained)
        if source == "torchvision":
            return _torchvision(rest, num_classes, image_size, pretrained)
        return _own(source, rest, num_classes)


def _timm(name: str, num_classes: int, image_size: int, pretrained: bool) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"timm:{name} needs timm; install it with: pip install 'stillhouse[timm]'") from error
    if not timm.is_model(name.partition(".")[0]):
        raise ValueError(f"timm has no {name!r}.{nearest(name, timm.list_models())}")
    create: Callable[..., nn.Module] = timm.create_model
    try:
        return create(name, pretrained=pretrained, num_classes=num_classes, img_size=image_size)
    except TypeError:  # convolutional networks take every size
        return create(name, pretrained=pretrained, num_classes=num_classes)


def _torchvision(name: str, num_classes: int, image_size: int, pretrained: bool) -> nn.Module:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(f"torchvision has no {name!r}.{nearest(name, known)}")
    builder = models.get_model_builder(name)
    options: dict[str, object] = {"num_classes": num_classes}
    if "image_size" in inspect.signature(builder).parameters or name.startswith("vit_"):
        options["image_size"] = image_size
    if name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    if not pretrained:
        return _module(builder(weights=None, **options), name)
    options.pop("num_classes")
    model = builder(weights="DEFAULT")
    fresh = builder(weights=None, num_classes=num_classes)
    kept = {k: v for k, v in model.state_dict().items() if v.shape == fresh.state_dict()[k].shape}
    fresh.load_state_dict(kept, strict=False)
    return _module(fresh, name)


def _own(module: str, attribute: str, num_classes: int) -> nn.Module:
    builder = load_object(module, attribute)
    if not callable(builder):
        raise ValueError(f"{module}:{attribute} is a {type(builder).__name__}; name a function or class that builds")
    takes = inspect.signature(builder).parameters
    named = "num_classes" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values())
    return _module(builder(num_classes=num_classes) if named else builder(), f"{module}:{attribute}")


def _module(built: object, name: str) -> nn.Module:
    if not isinstance(built, nn.Module):
        raise ValueError(f"{name} returned a {type(built).__name__}, not an nn.Module")
    return built


def load_object(module: str, attribute: str) -> object:
    """What `package.module:attribute` or `file.py:attribute` names.

    Raises:
        ValueError: If the module cannot be imported or has no such attribute.
    """
    try:
        loaded = _load_file(Path(module).expanduser()) if module.endswith(".py") else importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{module!r} in {module}:{attribute} cannot be imported ({error}); write zoo names without a colon, "
            f"or timm:NAME, torchvision:NAME, package.module:callable, file.py:callable"
        ) from error
    if not hasattr(loaded, attribute):
        public = [name for name in vars(loaded) if not name.startswith("_")]
        raise ValueError(f"{module} has no {attribute!r}.{nearest(attribute, public)}")
    found: object = getattr(loaded, attribute)
    return found


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    name = f"stillhouse_user_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path.resolve()):
        return known
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded
