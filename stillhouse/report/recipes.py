"""Recipes: published settings by name, such as cifar100/dkd/resnet32x4-resnet8x4; their numbers are in recipes/."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..spelling import nearest

_INSTALLED, _CHECKED_OUT = Path(__file__).parents[1] / "published", Path(__file__).parents[2] / "recipes"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where PyYAML has it
FOLDER = _INSTALLED if _INSTALLED.is_dir() else _CHECKED_OUT


@dataclass(frozen=True)
class Recipe:
    """A run of `stillhouse distill` with its authors' settings.

    Args:
        name: data/method/teacher-student; `at@sakd` is AT as the authors of SAKD run it.
        options: Options of the command, by name.
        source: Who published them, and where.
        top1: Reported top-1 in percent, for the "last" epoch, the "best" epoch on the test images, or "unstated".
    """

    name: str
    options: Mapping[str, str | int | float | bool | Sequence[float]]
    source: str
    top1: Mapping[str, float]

    def report(self) -> str:
        """Return the published result in words; empty if none was published."""
        epochs = {"last": ", last epoch", "best": ", best epoch", "unstated": ""}
        return " or ".join(f"{top1:.2f} %{epochs[measured]}" for measured, top1 in self.top1.items())

    def differs(self, settings: Mapping[str, object]) -> list[str]:
        """Return the names of options whose values differ from these; an option that it leaves out has its default."""
        from ..methods.parse import parse  # a list of names does without these
        from .settings import default_protocol

        methods = [str(method) for method in parse(str(self.options["methods"]))]
        expected: dict[str, object] = {**self.options, "methods": methods}
        expected |= {name: value for name, value in default_protocol().items() if name not in expected}
        return [name for name in expected if name in settings and _plain(settings[name]) != _plain(expected[name])]


def find(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        ValueError: If there is none; the message names the nearest ones.
    """
    known = published()
    if name not in known:
        pairs = [run for run in known if run.startswith(f"{name.rstrip('/')}/")]
        hint = f" It is published for pairs, such as {pairs[0]}." if pairs else nearest(name, known)
        raise ValueError(f"there is no recipe {name!r}.{hint} All: stillhouse list recipes")
    return known[name]


@cache
def published() -> Mapping[str, Recipe]:
    """Return every recipe, by name."""
    protocols = _read(FOLDER / "protocols.yaml")
    found: dict[str, Recipe] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        if path.name != "protocols.yaml":
            for run in _runs(_read(path), protocols):
                assert run.name not in found, f"{run.name} is in {path.name} and elsewhere"
                found[run.name] = run
    return found


def _runs(file: Mapping[str, Any], protocols: Mapping[str, Any]) -> Iterator[Recipe]:
    for block in file["runs"]:
        protocol = protocols[block.get("protocol", block["recipe"].partition("/")[0])]
        for pair, top1 in block["top1"].items():
            teacher, student = pair.split("-")
            options = {
                "teacher": teacher,
                "student": student,
                "methods": block["methods"],
                **protocol["options"],
                **protocol.get("teachers", {}).get(teacher, {}),
                **protocol.get("students", {}).get(student, {}),
                **block.get("options", {}),
            }
            if not isinstance(top1, dict):
                top1 = {} if top1 is None else {block.get("measured", file["measured"]): top1}
            yield Recipe(f"{block['recipe']}/{pair}", options, block.get("source", file["source"]), top1)


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    return content
