"""Options of `stillhouse predict`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...ranges import Count, check_options
from ..groups.run import DeviceOptions

Format = Literal["table", "csv", "jsonl"]


_BY_ENDING: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl"}


@dataclass(frozen=True)
class PredictOptions:
    """Network, images and output.

    Args:
        model: The folder of a finished run, a safetensors file of one, an exported file (.onnx, .pt2, .torchscript), or
            a network's name with its --weights.
        images: Image files, folders, patterns such as 'photos/*.jpg', or - for names on standard input, one per line.
        weights: A file with the network's weights, or the folder of a run, if `model` is a name.
        top: Number of classes to show for each image, the most likely first.
        format: Format of the output; jsonl has one JSON object per line. By default a table, or what the suffix of
            --output says.
        output: File to write (-o classes.csv) instead of standard output.
        batch_size: Images to classify at once.
        trust: Open an exported file of PyTorch (.pt2, .torchscript), although such a file can run code.
    """

    model: str
    images: list[str]
    weights: str | None = None
    top: Count = 1
    format: Format | None = None
    output: Path | None = None
    batch_size: Count = 32
    trust: bool = False

    def __post_init__(self) -> None:
        check_options(self)

    def kind(self) -> Format:
        """Return the format.

        Raises:
            ValueError: If it is unclear, or the file cannot be written.
        """
        if self.output is None:
            return self.format or "table"
        if self.output.is_dir():
            raise ValueError(f"--output {self.output} is a folder; give a file, such as {self.output / 'classes.csv'}")
        if not self.output.absolute().parent.is_dir():
            raise ValueError(f"--output: there is no folder {self.output.absolute().parent}; create it first")
        found = self.format or _BY_ENDING.get(self.output.suffix.lower())
        if found in (None, "table"):
            raise ValueError(f"--output {self.output} takes --format csv or jsonl, or a suffix .csv or .jsonl")
        assert found is not None
        return found


@dataclass(frozen=True)
class Predict:
    """Tell the classes of images, read and resized as the network's training images were."""

    network: PredictOptions
    device: DeviceOptions
