"""Trained networks by location: the folder of a run, a file from one, or a name and its weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ...checkpoints import about_weights
from ...models.create import is_ours
from ...models.input_spec import InputSpec
from ...models.spec import NetworkSource
from ...user_code import named_by_run
from ..run_files import read_result
from .places import is_place
from .weights_file import weights_in


@dataclass(frozen=True)
class Located:
    """A network with weights that has been found but not read yet.

    Args:
        given: The place or name that the user gave.
        source: The network by name, with its weights.
        about: Header of the file of the weights.
        folder: Folder of the run that names the network; None if the user named it.
    """

    given: str
    source: NetworkSource
    about: Mapping[str, object]
    folder: Path | None = None

    @property
    def input(self) -> InputSpec:
        """The images that it expects, as far as known before it is built."""
        return self.source.input_spec(self.about)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Its classes in the order of its outputs, if known."""
        theirs = self.source.classes or self.about.get("classes")
        return tuple(map(str, theirs)) if isinstance(theirs, list | tuple) and theirs else None

    def origin(self, typed: Collection[str]) -> AbstractContextManager[None]:
        """Return the context in which its code is run or refused."""
        return named_by_run(self.folder, typed) if self.folder else nullcontext()


def locate(source: NetworkSource, option: str = "--teacher_weights") -> Located:
    """Find the network of a source: that of a run, of a file from a run, or one by name.

    Args:
        option: The option that sets the weights, for messages.

    Raises:
        ValueError: If nothing has that name, its weights are given twice, the run is not finished, or a file apart
            from its run names code to run.
    """
    if not is_place(source.name):
        if source.weights:
            source.check()
        return Located(source.name, source, source.about())
    if source.weights:
        raise ValueError(f"{source.name} already has weights; leave out {option}")
    place = Path(source.name).expanduser()
    is_run = place.is_dir()
    if is_run:
        read_result(place)
    file = weights_in(place) if is_run else place
    about = about_weights(file)
    name = about.get("network")
    if not isinstance(name, str):
        raise ValueError(
            f"{source.name} does not say which network it holds; give the network by name, and the file with {option}"
        )
    if not is_run and not is_ours(name):
        raise ValueError(
            f"loading {source.name} executes {name}; if you trust it, give {name} as the network, and the file with "
            f"{option}"
        )
    if not is_run and name.count(":") > 1:
        raise ValueError(
            f"loading {source.name} looks up {name} outside of it; if you trust it, give {name} as the network, and "
            f"the file with {option}"
        )
    return Located(source.name, replace(source, name=name, weights=str(file)), about, file.parent if is_run else None)
