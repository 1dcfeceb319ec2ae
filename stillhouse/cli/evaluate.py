"""`stillhouse evaluate`: a trained network, measured on the held-out images of a data set."""

from __future__ import annotations

from dataclasses import dataclass

from ..analysis.tables import Line, comparison
from ..models.spec import NetworkSource
from ..training.evaluation import evaluate, size_of
from ..training.progress import Display
from ..training.teacher import find_trained
from ..training.teacher_checks import check_classes
from .config import DeviceOptions
from .data_options import DataOptions


@dataclass(frozen=True)
class EvaluateOptions:
    """Network to measure.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network as for `stillhouse train`.
        weights: A file with the network's weights, where `model` is a name.
    """

    model: str
    weights: str | None = None


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained network on the held-out images of a data set."""

    network: EvaluateOptions
    data: DataOptions
    device: DeviceOptions


def measure(command: Evaluate, display: Display) -> None:
    device, data = command.device.torch_device(), command.data.load(display, test_only=True)
    source = NetworkSource(command.network.model, command.network.weights)
    found = find_trained(source, data, device, option="--weights")
    if found is None:
        raise ValueError(f"{source.name} is a network without weights; give its --weights, or the folder of a run")
    model = found.net.model.to(device)
    scores = evaluate(model, data.test, device)
    if not scores.logits.isfinite().all():
        raise ValueError(f"the outputs of the network {found.name} contain NaN or infinity; load another checkpoint")
    check_classes(f"the network {found.name}", scores, data, found.about)
    line = Line(found.short, *size_of(model, data.info.image_size), scores.top1)
    display.console.print(comparison([line], data.name))
    display.say(f"top-5 {scores.top5:.2f} %   cross-entropy {scores.loss:.4f}   {len(scores.labels):,} images")
