"""A network as a command names it: its name, initial weights, anatomy, and the images that it expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ..anatomy import Anatomy
from ..checkpoints import about_weights, load_weights
from ..checkpoints.kinds import no_weights
from ..checkpoints.load import Say
from ..data import Data
from ..taps import Tapped
from ..training.teachers.weights_file import weights_at
from ..user_code import hash_of_file
from .create import check_name, network, network_files
from .input_spec import InputSpec
from .libraries import is_published, transform_input

PRETRAINED = "pretrained"
_NOTHING_SAID = InputSpec()


@dataclass(frozen=True)
class NetworkSource:
    """A network by name, its initial weights, and facts about it that the user states.

    Args:
        name: As for `network`.
        weights: A file, the folder of a run, or "pretrained" for timm's or torchvision's own.
        anatomy: Landmarks that replace those found.
        key: The weights to take if the file holds several.
        skip_head: Keep the new classifier if the file's is for other classes.
        input: Size and normalisation of the images that it was trained on.
        classes: Its classes in the order of its outputs.
        option: Prefix of its options, for messages: "teacher_".
    """

    name: str
    weights: str | None = None
    anatomy: Anatomy | None = None
    key: str | None = None
    skip_head: bool = False
    input: InputSpec = _NOTHING_SAID
    classes: tuple[str, ...] | None = None
    option: str = ""

    def build(self, data: Data, seed: int, say: Say | None = None, num_classes: int | None = None) -> nn.Module:
        """Build the network for the data and fill it.

        Args:
            say: Called with a sentence for each choice and each thing left out.
            num_classes: Of a network for classes other than the data's.

        Raises:
            ValueError: If there is no such network, or the weights do not fit.
        """
        return self.build_for(num_classes or len(data.classes), data.info.image_size, seed, say)

    def build_for(self, count: int, size: int, seed: int = 0, say: Say | None = None) -> nn.Module:
        """Build the network for so many classes and images of `size` px, and fill it; for the rest see `build`."""
        self._refuse_options_of_no_file()
        pretrained = self.weights == PRETRAINED
        model = network(self.name, count, size, seed=seed, pretrained=pretrained, say=say, option=self.option)
        if self.file is not None:
            load_weights(model, self.file, key=self.key, skip_head=self.skip_head, say=say, option=self.option)
            if self._is_published:
                transform_input(self._torchvision, model)
        return model

    def check(self) -> None:
        """Refuse a network or a file of weights that there is not, before anything is read or built.

        Raises:
            ValueError: If there is none of that name, or no file where the weights are said to be.
        """
        self._refuse_options_of_no_file()
        check_name(self.name, self.weights == PRETRAINED, self.option)
        if self.file is not None and (why := no_weights(weights_at(self.file))):
            raise ValueError(f"{self.file} {why}")

    def _refuse_options_of_no_file(self) -> None:
        for name, value in (("weights_key", self.key), ("skip_head", self.skip_head)):
            if value and self.file is None:
                option = f"--{self.option}{name}"
                raise ValueError(
                    f"{option} is about a file of weights; give one as --{self.option}weights, or leave it out"
                )

    @property
    def file(self) -> Path | None:
        """The file or folder of its weights, if they are in one."""
        return None if self.weights in (None, PRETRAINED) else Path(str(self.weights)).expanduser()

    @property
    def short(self) -> str:
        """The name without the folders of a file."""
        return self.name.rpartition("/")[2]

    def tapped(self, model: nn.Module, data: Data) -> Tapped:
        """Return the network with its landmarks."""
        return Tapped(model, Anatomy.of(model, data.info.image_size, self.anatomy))

    def about(self) -> dict[str, object]:
        """Return the header of its file of weights, if a run wrote it; else empty."""
        if self.file is None:
            return {}
        return about_weights(weights_at(self.file))

    def input_spec(self, about: Mapping[str, object], model: nn.Module | None = None) -> InputSpec:
        """Return the images that it expects, as stated by the user, else its file, else its library.

        Args:
            about: The header of its file.
            model: The network, once it is built; timm's networks carry their settings.
        """
        known = self.input.or_else(InputSpec.of_header(about))
        if not self.weights and not about:
            return known
        if self._torchvision:
            return known.or_else(InputSpec.of_torchvision(self._torchvision, self._is_published))
        is_pretrained = self.weights == PRETRAINED
        settings = getattr(model, "pretrained_cfg", None) or (_timm_settings(self.name) if is_pretrained else None)
        return known.or_else(InputSpec.of_settings(settings, is_pretrained))

    @property
    def _torchvision(self) -> str:
        source, _, name = self.name.partition(":")
        return name if source == "torchvision" else ""

    @property
    def _is_published(self) -> bool:
        """True if its weights are torchvision's own, downloaded or passed as a file."""
        if self.weights == PRETRAINED:
            return True
        return self.file is not None and is_published(self._torchvision, self.file)

    def identity(self) -> dict[str, object]:
        """Return everything that the network depends on, for the hash of a run."""
        weights = [] if self.file is None else [weights_at(self.file)]
        return {
            "name": self.name,
            "weights": PRETRAINED if self.weights == PRETRAINED else None,
            "files": [hash_of_file(file) for file in [*network_files(self.name), *weights]],
            "anatomy": dataclasses.asdict(self.anatomy) if self.anatomy else None,
            **({"weights_key": self.key} if self.key else {}),
            **({"skip_head": True} if self.skip_head else {}),
        }


def _timm_settings(name: str) -> object:
    """Return timm's settings of a network before it is built; None if it is on a hub, which supplies them."""
    source, _, rest = name.partition(":")
    if source != "timm" or ":" in rest:
        return None
    try:
        from timm.models import get_pretrained_cfg

        settings = get_pretrained_cfg(rest)
    except (ImportError, RuntimeError):
        return None
    return settings.to_dict() if settings else None  # type: ignore[no-untyped-call] # in timm
