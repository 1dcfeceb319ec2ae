"""Places of trained networks: folders of runs and files. No PyTorch is imported for the names of networks."""

from __future__ import annotations

import os
from pathlib import Path

from ...spelling import nearest_path
from .weights_file import weights_in


def place_of(name: str, weights: str | None = None) -> Path | None:
    """Return the file or run's folder that a trained network is in; None if it has only a name, or is absent."""
    place = Path(name if weights is None else weights).expanduser()
    if not place.exists():
        return None
    if weights:
        from ...models.spec import PRETRAINED

        return None if weights == PRETRAINED else place
    return place if is_place(name) else None


def about_place(place: Path | None) -> dict[str, object]:
    """Return what the file of a network's weights, or that in the folder of a run, says of it."""
    if place is None:
        return {}
    from ...checkpoints import about_weights

    return about_weights(weights_in(place) if place.is_dir() else place)


def without_weights(name: str, option: str = "--weights") -> str:
    """Return in words that a network has no weights, or that nothing has its name."""
    from ...models import MODELS

    if ":" in name or name in MODELS or name.startswith("wrn_"):
        return f"{name} is a network without weights; give its {option}, or the folder of a run"
    near = nearest_path(name)
    return f"there is no file, folder or network {name}{near}; give the folder of a run, or a network and its {option}"


def is_place(name: str) -> bool:
    """Return True for a path of a trained network, False for a name; names of the zoo win over folders."""
    place = Path(name).expanduser()
    if not place.exists() and (os.sep in name or place.suffix in (".safetensors", ".pth", ".pt")) and ":" not in name:
        raise ValueError(
            f"there is no {name}{nearest_path(name)}; give the folder of a finished run, or a network by name"
        )
    if not place.exists() or ":" in name:
        return False
    from ...models import MODELS

    return name not in MODELS
