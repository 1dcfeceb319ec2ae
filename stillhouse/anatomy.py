"""Landmarks of a classifier: with them methods can name `stage2` in any network."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from .ranges import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Anatomy:
    """Dotted module paths. A trailing `:in` means the module's input instead of its output.

    Methods name places by role, and `resolve` turns a role into a path: `stem`, `stage1` ... `stageN`,
    `last_stage`, `preact1` ... `preactN`, `map`, `embedding`, `logits`. Any dotted path is a place as well.
    """

    stages: tuple[str, ...] = ()  # (N, C, H, W) or (N, L, D), shallow to deep
    head: str | None = None  # the classifier, (N, D) -> (N, C)
    map: str | None = None  # the last spatial map, (N, C, H, W), just before pooling
    stem: str | None = None  # the first stage's input
    preacts: tuple[str, ...] = ()  # each stage before its last activation
    norms: tuple[str, ...] = ()  # the BatchNorm that last scaled each of `preacts`
    channels_last: bool = False  # this network's maps are (N, H, W, C)
    chain: tuple[str, ...] = ()  # modules and methods that make up the network when called in this order

    @classmethod
    def of(cls, model: nn.Module, image_size: int | None = None, given: Anatomy | None = None) -> Anatomy:
        """Return the landmarks that the model declares as `model.anatomy`, or those that a dry run on noise finds.

        Args:
            image_size: Height and width of the images that the model takes, in px; if omitted, likely sizes are tried.
            given: Landmarks that override the declared or found ones.
        """
        from .models.landmarks import find  # it imports PyTorch, which options of this type do without

        declared = getattr(model, "anatomy", None)
        found = declared if isinstance(declared, cls) else cls(*find(model, image_size))
        known = {field.name: getattr(given, field.name) for field in fields(cls)} if given else {}
        return replace(found, **{name: value for name, value in known.items() if value})

    @property
    def roles(self) -> list[str]:
        """Return the names that `resolve` knows in this network."""
        singles = {"stem": self.stem, "last_stage": self.stages, "map": self.map, "embedding": self.head}
        return [
            *(f"stage{i + 1}" for i in range(len(self.stages))),
            *(f"preact{i + 1}" for i in range(len(self.preacts))),
            *(name for name, path in singles.items() if path),
            "logits",
        ]

    def resolve(self, place: str) -> str:
        """Turn a role or a dotted path into a dotted path.

        Raises:
            ValueError: If the network has no place of that role.
        """
        for role, paths in (("stage", self.stages), ("preact", self.preacts)):
            number = place.removeprefix(role)
            if place.startswith(role) and number.isdigit():
                if not 1 <= int(number) <= len(paths):
                    raise ValueError(f"the network has no {place!r}; it has {', '.join(self.roles)}")
                return paths[int(number) - 1]
        head = f"{self.head}:in" if self.head else None
        last = self.stages[-1] if self.stages else None
        singles = {"stem": self.stem, "last_stage": last, "map": self.map, "embedding": head}
        path = singles.get(place, place)
        if path is None:
            raise ValueError(f"no {place!r} was found in this network (it has {', '.join(self.roles)}); give its path")
        return path

    def describe(self) -> str:
        """Return a summary in one line."""
        stages = " ".join(f"{i + 1}={path}" for i, path in enumerate(self.stages)) or "none found"
        return f"stages {stages}; map {self.map or 'none'}; head {self.head or 'none found'}"
