"""Options of `stillhouse probe`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...anatomy import Anatomy
from ...ranges import TYPE_CHECKING, NonNegative, Part, Seed, check_options
from ..groups.data import DataOptions
from ..groups.networks import Channels
from ..groups.run import DeviceOptions

if TYPE_CHECKING:
    from ...models.spec import NetworkSource


@dataclass(frozen=True)
class ProbeOptions:
    """Network whose features to probe.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network as for `stillhouse train`.
        weights: A file with the network's weights, or the folder of a run, if `model` is a name.
        weights_key: For a file with several sets of weights: part of the names of those to use, such as
            state_dict_ema.
        mean: Mean of each channel used to normalise its images, from 0 to 1: one number or three.
        std: Standard deviation of each channel, likewise.
        anatomy: Override the detected layer names; the features are the input of `head`.
        train_fraction: Fraction of each class's training images to train the classifier on; always the same images.
        protocol: Way to train the classifier. "lbfgs": to the optimum, regularisation chosen on held-out images.
            "crd": by SGD for 240 epochs, as in tables of transfer since CRD's (32 px images of CIFAR-100's mean and
            deviation; features frozen, without crops and flips).
        weight_decay: Weight decay of protocol crd, there 0 or 0.0005 depending on who repeats it.
        seed: Seed of protocol crd: first weights and order of the images.
    """

    model: str
    weights: str | None = None
    weights_key: str | None = None
    mean: Channels | None = None
    std: Channels | None = None
    anatomy: Anatomy | None = None
    train_fraction: Part = 1.0
    protocol: Literal["lbfgs", "crd"] = "lbfgs"
    weight_decay: NonNegative | None = None
    seed: Seed | None = None

    def __post_init__(self) -> None:
        check_options(self)
        for name in ("weight_decay", "seed"):
            if self.protocol != "crd" and getattr(self, name) is not None:
                raise ValueError(f"--{name} is for --protocol crd: leave it out, L-BFGS draws nothing at random")

    def source(self) -> NetworkSource:
        from ...models.input_spec import InputSpec
        from ...models.spec import NetworkSource

        spec = InputSpec.typed(self.mean, self.std, None, "")
        return NetworkSource(self.model, self.weights, self.anatomy, self.weights_key, input=spec)


@dataclass(frozen=True)
class Probe:
    """Freeze a trained network, and train and measure a linear classifier on its features of another data set."""

    network: ProbeOptions
    data: DataOptions
    device: DeviceOptions
