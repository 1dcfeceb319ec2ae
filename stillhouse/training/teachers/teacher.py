"""Trained networks, adapted to the data's images and classes, and measured before they are used as teachers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ...anatomy import Anatomy
from ...checkpoints import fingerprint
from ...checkpoints.load import OtherHead, Say
from ...data import Data, Split
from ...models.adapt import adapted, renormalise, reorder_classes
from ...models.create import is_ours
from ...models.input_spec import InputSpec, shown
from ...models.spec import NetworkSource
from ...taps import Tapped, probe
from ...user_code import Untrusted
from ..evaluation import Scores, evaluate
from .checks import other_classes
from .class_order import order_of
from .located import Located, locate

_TEACHER = "--teacher_weights"


@dataclass(frozen=True)
class Teacher:
    """A trained network and what is known about it.

    Args:
        net: Takes the data's images; `net.foreign_logits` says why its logits have no meaning for the data, if so.
        name: Its name from the user or from its file.
        about: Header of its file.
        input: The images that it was trained on.
    """

    net: Tapped
    name: str
    about: Mapping[str, object] = field(default_factory=dict)
    input: InputSpec = field(default_factory=InputSpec)

    @property
    def short(self) -> str:
        """The name without the folders before a file."""
        return self.name.rpartition("/")[2]

    def scores(self, split: Split, device: torch.device) -> Scores:
        """Measure it on held-out images, in the precision that it is used in."""
        with self.net.autocast(device):
            return evaluate(self.net.model.to(device), split, device)

    def identity(self) -> dict[str, object]:
        """Return everything that a student of this teacher depends on."""
        around = adapted(self.net.model)
        return {
            "network": self.name,
            "weights": fingerprint(self.net.model),
            **({"adapted": around} if around else {}),
            **({"foreign_logits": True} if self.net.foreign_logits else {}),
        }


def trained(
    path: str, data: Data, anatomy: Anatomy | None, device: torch.device, typed: Collection[str] = ()
) -> Teacher:
    """Return the network of a run folder, or of a safetensors file from one.

    Raises:
        ValueError: If there is none, or as in `prepare`.
    """
    return prepare(locate(NetworkSource(path, anatomy=anatomy)), data, device, typed=typed)


def prepare(
    found: Located,
    data: Data,
    device: torch.device,
    seed: int = 0,
    *,
    option: str = _TEACHER,
    say: Say | None = None,
    typed: Collection[str] = (),
    any_classes: bool = False,
) -> Teacher:
    """Build a network, load its weights, and adapt it to the data's images and classes.

    Args:
        seed: Seed of the parameters that the weights leave out.
        option: The option that sets the weights, for messages; a teacher is checked more strictly.
        say: Called with a sentence for each choice, each omission and each layer put before the network.
        typed: Names of code that the user typed.
        any_classes: Accept a network for other classes, as teachers may be; its logits then have no meaning.

    Raises:
        ValueError: If it cannot be read, its code came with its run, or it was trained on images of another size.
    """
    say, any_classes = say or str, any_classes or option == _TEACHER
    with found.origin(typed):
        model, foreign = _build(found, data, seed, option, say, any_classes)
    net = found.source.tapped(model.to(device).eval(), data)
    spec = found.source.input_spec(found.about, model)
    _check_size(found, spec, data.info.image_size, option, say)
    if spec.mean and spec.std:
        renormalise(model, (data.mean, data.std), (spec.mean, spec.std))
    if adapted(model):
        sure = "" if spec.is_certain else ", the usual ones for it: its file does not say"
        say(
            f"{found.source.short} takes images with mean {shown(spec.mean or ())} and std {shown(spec.std or ())} "
            f"({spec.source}{sure}); the data's are renormalised for it"
        )
    net.foreign_logits = foreign or _match_classes(found, net, data, say)
    if net.foreign_logits and not any_classes:
        raise ValueError(f"the network {found.source.name} {net.foreign_logits}")
    return Teacher(net, found.source.name, found.about, spec)


def _build(
    found: Located, data: Data, seed: int, option: str, say: Say, any_classes: bool
) -> tuple[nn.Module, str | None]:
    """Return the network, and why its logits have no meaning for the data if its classes are others."""
    source, count = found.source, len(found.classes or data.classes)
    try:
        return source.build(data, seed, say, count), None
    except OtherHead as other:
        held = f"a head for {other.classes:,} classes" if other.classes else "no head"
        others = f"{count:,} classes are named" if found.classes else f"the data have {count:,} classes"
        reason = f"has {held} in {source.file}, but {others}"
        if not any_classes:
            raise ValueError(f"the network {source.name} {reason}") from None
        source = replace(source, skip_head=other.classes is None)
        return source.build(data, seed, say, other.classes or count), reason
    except Untrusted as error:
        raise ValueError(
            f"{error}; if you trust it, give {source.name} as the network, and {found.given} with {option}"
        ) from None
    except ValueError as error:
        if found.folder is None or is_ours(source.name):
            raise
        raise ValueError(
            f"{found.given} was trained with {source.name}: {error}; give the network by its present name, and "
            f"{found.given} with {option}"
        ) from error


def _check_size(found: Located, spec: InputSpec, size: int, option: str, say: Say) -> None:
    """Refuse a teacher that was trained on images of another size; note it if that is uncertain or was asked for."""
    was = InputSpec.of_header(found.about).size
    if spec.size in (None, size):
        if was not in (None, size):
            say(f"{found.source.short} was trained on images of {was} px and gets {size} px, as the options say")
        return
    differs = f"{found.given} was trained on images of {spec.size} px, but these have {size}"
    if option == _TEACHER and spec.is_binding:
        raise ValueError(f"the teacher {differs}; give --image_size {spec.size}, or --teacher_size {size} to use these")
    say(f"{differs}; --image_size {spec.size} gives it the size that it was trained on")


def _match_classes(found: Located, net: Tapped, data: Data, say: Say) -> str | None:
    """Put a network's classes into the data's order; return why not if they are others."""
    theirs, count = found.classes, probe(net, data.info.image_size).logits.shape[1]
    if theirs is not None and len(theirs) != count:
        return f"predicts {count:,} classes, but {len(theirs):,} are named"
    chosen = found.source.classes is not None  # the user may use some of many
    problem = other_classes(len(data.classes) if chosen else count, data.classes, theirs)
    if problem or theirs is None:
        return problem
    order = order_of(theirs, data.classes)
    if order != list(range(count)):
        head = net.module("embedding") if net.anatomy.head else None
        reorder_classes(net.model, order, head)
        left = f"; it chooses among these {len(order):,} of its {count:,} only" if count > len(order) else ""
        say(f"the classes of {found.source.short} were put into the order of the data's{left}")
    return None
