"""Static quantisation of an ONNX model to 8 bits: QDQ, per channel, calibrated on training images.

Convolutions and products of matrices are quantised; sums, normalisations and activations stay in float, where networks
with residual connections need them. Layers that bear it worst are found by quantising one at a time.
"""

from __future__ import annotations

import copy
import logging
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data import Data, Folder
from ..data.packed import Packed
from ..rng import stream

if TYPE_CHECKING:
    import onnx

_QUANTISED = ("Conv", "Gemm", "MatMul")
_AT_ONCE = 32  # images of calibration
_JUDGED = 64  # images by which the damage of a layer is measured
_CPU_INFO = Path("/proc/cpuinfo")


def calibration_pixels(data: Data, count: int, seed: int) -> Tensor:
    """Return training images as they are evaluated, drawn at random: (K, 3, S, S) float32, normalised as the data are.

    Raises:
        ValueError: If there are no training images.
    """
    if len(data.train) == 0:
        raise ValueError("int8 is calibrated on training images, and the data have none; give --data with a train set")
    chosen = torch.randperm(len(data.train), generator=stream(seed, "calibration"))[:count].sort().values
    part = data.train
    if isinstance(part, Folder):  # read no others from disk
        part = copy.copy(part)
        part.paths, part.labels = Packed(part.paths[i] for i in chosen.tolist()), part.labels[chosen]
        chosen = torch.arange(len(chosen))
    wanted = set(chosen.tolist())
    batches = part.batches("cpu", _AT_ONCE)
    return torch.cat([one.images[[int(i) in wanted for i in one.indices]] for one in batches]).contiguous()


def reduced_range(machine: str | None = None, info: Path = _CPU_INFO) -> bool:
    """Return True where 8-bit weights could overflow sums of 16 bits: x86 CPUs without VNNI."""
    if (machine or platform.machine()).lower() not in ("x86_64", "amd64"):
        return False
    try:
        flags = info.read_text().split()
    except OSError:
        return True
    return not any("vnni" in flag for flag in flags)


@dataclass
class Quantiser:
    """Quantises one model, again and again, with ranges that were measured once.

    Args:
        model: In float.
        images: Inputs of the model, for calibration, (K, ...).
        reduce_range: Use 7 bits for weights.
        folder: Folder for files that nobody needs afterwards.
    """

    model: onnx.ModelProto
    images: np.ndarray[Any, Any]
    reduce_range: bool
    folder: Path

    def __post_init__(self) -> None:
        for number, node in enumerate(self.model.graph.node):
            node.name = node.name or f"{node.op_type}_{number}"

    @property
    def layers(self) -> list[str]:
        """Names of the layers that can be quantised: those with weights."""

        weights = {one.name for one in self.model.graph.initializer}
        nodes: Sequence[onnx.NodeProto] = self.model.graph.node
        return [one.name for one in nodes if one.op_type in _QUANTISED and not weights.isdisjoint(one.input)]

    def label(self, layer: str) -> str:
        """Return the name that a layer has in the network, by that of its weights."""
        weights = {one.name for one in self.model.graph.initializer}
        node = next(node for node in self.model.graph.node if node.name == layer)
        found = next((name for name in node.input if name in weights), layer)
        return found.removeprefix("model.").partition(".weight")[0]

    def quantised(self, layers: Sequence[str]) -> onnx.ModelProto:
        """Return the model with these layers quantised; with none of them, the model in float."""
        import onnx

        if not layers:
            return copy.deepcopy(self.model)
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

        made = self.folder / "quantised.onnx"
        with _quiet():
            quantize_static(
                copy.deepcopy(self.model),
                made,
                _Reader(self.model.graph.input[0].name, self.images),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_QUANTISED),
                per_channel=True,
                reduce_range=self.reduce_range,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_quantize=list(layers),
                calibration_cache_path=self.folder / "ranges.json",
            )
        return onnx.load(made)

    def damages(self) -> dict[str, float]:
        """Return the mean squared error of the outputs when one layer alone is quantised, for each layer."""
        images = self.images[:_JUDGED]
        right = outputs_of(self.model, images)
        return {
            name: float(np.square(outputs_of(self.quantised([name]), images) - right).mean()) for name in self.layers
        }


def to_leave(layers: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield more and more of the layers to leave in float, the most sensitive first: 1, 2, 4, ... of them."""
    count = 1
    while count < len(layers):
        yield layers[:count]
        count *= 2


def pairs(model: onnx.ModelProto) -> int:
    """Return the number of nodes that quantise or dequantise."""
    return sum(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node)


def outputs_of(model: onnx.ModelProto, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what ONNX Runtime makes of images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = np.split(images, range(_AT_ONCE, len(images), _AT_ONCE))
    found: np.ndarray[Any, Any] = np.concatenate([session.run(None, {name: part})[0] for part in parts])
    return found


class _Reader:
    """Hands out images for calibration, batch by batch, as ONNX Runtime asks for them."""

    def __init__(self, name: str, images: np.ndarray[Any, Any]):
        self._batches = iter([{name: images[i : i + _AT_ONCE]} for i in range(0, len(images), _AT_ONCE)])

    def get_next(self) -> dict[str, np.ndarray[Any, Any]] | None:
        return next(self._batches, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime's advice about a step that the exporter has done already out of the output."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
