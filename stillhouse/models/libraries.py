"""Networks of timm and torchvision by name, with their pretrained weights; downloads that fail do so within seconds."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..spelling import nearest

PATIENCE = 5.0  # seconds until a server counts as out of reach
_REMOTE = ("hf-hub:", "hf_hub:")
_LOCAL = "local-dir:"
_TRANSFORMS_INPUT = ("googlenet", "inception_v3")  # their torchvision weights need another normalisation

Builder = Callable[[], object]


def of_timm(name: str, num_classes: int, image_size: int, pretrained: bool, option: str = "") -> Builder:
    """Return a builder of timm's network of this name: `timm.list_models()`, hf-hub:OWNER/NAME or local-dir:PATH.

    Args:
        option: The prefix of this network's options in messages: "teacher_".

    Raises:
        ValueError: If there is no such network, or the files that it needs cannot be downloaded.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"timm:{name} needs timm; install it with: pip install 'stillhouse[timm]'") from error
    is_remote, is_local = name.startswith(_REMOTE), name.startswith(_LOCAL)
    architecture, _, tag = name.partition(".")
    if not (is_remote or is_local) and not timm.is_model(architecture):
        raise ValueError(f"timm has no {name!r}.{nearest(name, timm.list_models())}")
    if tag and not (is_remote or is_local):
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
        if tag not in tags:
            offered = f"it has {', '.join(tags)}" if tags else "there are none"
            raise ValueError(f"timm has no weights {tag!r} of {architecture}; {offered}")
    if is_remote or pretrained:
        repository, file = _hub_file(name)
        if repository and not _is_cached(repository, file):
            way_out = f"name it as the network: timm:{_LOCAL}FOLDER" if is_remote else _as_weights(option)
            _reach(f"{_endpoint()}/{repository}", f"timm:{name}", way_out)
    create = partial(timm.create_model, name, pretrained=pretrained, num_classes=num_classes)

    def build() -> object:
        try:
            return create(img_size=image_size)
        except TypeError:  # convolutional networks take images of every size
            return create()

    return build


def of_torchvision(name: str, num_classes: int, image_size: int, pretrained: bool, option: str = "") -> Builder:
    """Return a builder of torchvision's network of this name.

    Args:
        option: The prefix of this network's options in messages: "teacher_".

    Raises:
        ValueError: If there is no such network, or its weights cannot be downloaded.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise ValueError(f"torchvision has no {name!r}.{nearest(name, known)}")
    builder = models.get_model_builder(name)
    options: dict[str, object] = {"num_classes": num_classes}
    if name.startswith("vit_"):
        options["image_size"] = image_size
    if name in _TRANSFORMS_INPUT:
        options |= {"aux_logits": False, "init_weights": True}
    if pretrained and not _torchvision_file(name).is_file():
        _reach(_torchvision_url(name), f"torchvision:{name}", _as_weights(option))

    def build() -> object:
        model: nn.Module = builder(weights=None, **options)
        if pretrained:  # all that fit: not a head for other classes, nor positions in images of another size
            own = model.state_dict()
            offered = builder(weights="DEFAULT").state_dict()
            fits = {key: value for key, value in offered.items() if key in own and value.shape == own[key].shape}
            model.load_state_dict(fits, strict=False)
            transform_input(name, model)
        return model

    return build


def libraries_with(name: str) -> list[str]:
    """Return those of torchvision and timm that are installed and have a network of exactly this name."""
    found = []
    with torch.device("cpu"), suppress(ImportError):  # networks may be looked up without memory for weights
        from torchvision import models

        found += ["torchvision"] if name in models.list_models(module=models) else []
    with torch.device("cpu"), suppress(ImportError):
        import timm

        found += ["timm"] if timm.is_model(name) else []
    return found


def transform_input(name: str, model: nn.Module) -> None:
    """Let a network transform its images as torchvision's own weights expect."""
    if name in _TRANSFORMS_INPUT:
        setattr(model, "transform_input", True)  # noqa: B010 (modules have no such attribute for type checkers)


def is_published(name: str, file: Path) -> bool:
    """Tell whether a file is torchvision's own for a network, by its name, which ends in a hash of its content."""
    return bool(name) and file.name == _torchvision_file(name).name


def _torchvision_url(name: str) -> str:
    from torchvision import models

    try:
        return str(models.get_model_weights(name).DEFAULT.url)
    except (ValueError, AttributeError):
        return ""


def _torchvision_file(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / _torchvision_url(name).rpartition("/")[2]


def _hub_file(name: str) -> tuple[str, str | None]:
    """Return the repository with the weights of a timm network, and the file if it has an unusual name."""
    for prefix in _REMOTE:
        if name.startswith(prefix):
            return name.removeprefix(prefix).partition("@")[0], "config.json"
    from timm.models import get_pretrained_cfg

    settings = None if name.startswith(_LOCAL) else get_pretrained_cfg(name)
    return (settings.hf_hub_id or "", settings.hf_hub_filename) if settings else ("", None)


def _is_cached(repository: str, file: str | None) -> bool:
    import huggingface_hub

    names = [file] if file else ["model.safetensors", "pytorch_model.bin"]
    return any(isinstance(huggingface_hub.try_to_load_from_cache(repository, name), str) for name in names)


def _endpoint() -> str:
    import huggingface_hub

    return str(huggingface_hub.constants.ENDPOINT)


def _as_weights(option: str) -> str:
    return f"pass the file as --{option}weights instead of 'pretrained'"


def _reach(url: str, network: str, way_out: str) -> None:
    """Raise ValueError if the server of a download does not answer in time; `way_out` is what to do with a download."""
    why = ["it does not answer"]

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE):
                why.clear()
        except urllib.error.HTTPError:  # an answer all the same
            why.clear()
        except (OSError, ValueError) as error:
            why[:] = [str(getattr(error, "reason", error))]

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name may take longer than any timeout
    asking.start()
    asking.join(PATIENCE + 1)
    if why:
        raise ValueError(
            f"the download of {network} from {url} failed ({why[0]}); download it on a machine with a connection, and "
            f"{way_out}"
        )
