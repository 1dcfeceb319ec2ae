"""The stages of two networks, how they are paired, and the words that give them back to a command."""

from __future__ import annotations

import copy
import dataclasses
import json
import shlex
from dataclasses import dataclass

from torch import Tensor

from ..anatomy import Anatomy
from ..method import pair
from ..taps import Tapped, probe


@dataclass(frozen=True)
class Place:
    """A place in a network: its role, its path, and the shape of one image's features there."""

    role: str
    path: str
    shape: str

    def __str__(self) -> str:
        return f"{self.path} {self.shape}"


def pairs(student: Tapped, teacher: Tapped, image_size: int) -> list[tuple[Place | None, Place | None]]:
    """Return stages and embedding as methods pair them, shallow to deep; None for a stage without a partner."""
    own, theirs = _places(student, image_size), _places(teacher, image_size)
    matched = dict(pair("stages", student.anatomy, teacher.anatomy)) if _has_stages(student, teacher) else {}
    rows: list[tuple[Place | None, Place | None]] = []
    without = [role for role in theirs if role.startswith("stage") and role not in matched.values()]
    rows += [(None, theirs[role]) for role in without]
    rows += [(place, theirs.get(matched.get(role, ""))) for role, place in own.items() if role.startswith("stage")]
    if "embedding" in own or "embedding" in theirs:
        rows.append((own.get("embedding"), theirs.get("embedding")))
    return rows


def as_option(name: str, anatomy: Anatomy) -> str:
    """Return an option that gives a network these landmarks, as it is typed: --student_anatomy '{"stages": ...}'."""
    default = Anatomy()
    known = {field.name: getattr(anatomy, field.name) for field in dataclasses.fields(anatomy)}
    given = {key: value for key, value in known.items() if value != getattr(default, key)}
    return f"--{name} {shlex.quote(json.dumps(given))}"


def _has_stages(*nets: Tapped) -> bool:
    return all(net.anatomy.stages for net in nets)


def _places(net: Tapped, image_size: int) -> dict[str, Place]:
    roles = [f"stage{i + 1}" for i in range(len(net.anatomy.stages))] + (["embedding"] if net.anatomy.head else [])
    net = copy.deepcopy(net)  # whose hooks go with it
    net.tap(roles)
    outputs = probe(net, image_size)
    return {role: Place(role, net.anatomy.resolve(role), _shape(outputs[role])) for role in roles}


def _shape(features: Tensor) -> str:
    """Return the shape of one image's features: 64x8x8"""
    return "x".join(map(str, features.shape[1:]))
