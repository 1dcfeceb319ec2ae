"""Options in small groups. A command is a dataclass of the groups that it reads, and has no other options.

The first line of a group's docstring is its heading in the help; groups with one heading share a section.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...ranges import TYPE_CHECKING, NonNegative, Positive, Seed, check_options
from ...training.config import TrainConfig
from ...training.ranks import local_rank
from .data import DataOptions, SplitOptions
from .length import EpochOptions

if TYPE_CHECKING:
    import torch

    from ...data import Data
    from ...models.input_spec import InputSpec
    from ...training.cache.store import CacheStore
    from ...training.progress import Display


@dataclass(frozen=True)
class OutputOptions:
    """Data, seed, device and output folder.

    Args:
        seed: Seed of all random numbers.
        folder: Folder that holds the folders of runs.
    """

    seed: Seed = 0
    folder: Path = Path("runs")

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class TrackOptions:
    """Data, seed, device and output folder.

    Args:
        track: Show the numbers of each epoch and the result in Weights & Biases or MLflow as well, which read their own
            environment variables (WANDB_MODE, MLFLOW_TRACKING_URI, ...).
    """

    track: Literal["none", "wandb", "mlflow"] = "none"

    @property
    def names(self) -> tuple[str, ...]:
        """The trackers that were asked for."""
        return () if self.track == "none" else (self.track,)

    def check(self) -> None:
        """Refuse a tracker that is not installed."""
        from ...training.trackers.tracking import is_installed

        for name in self.names:
            if not is_installed(name):
                raise ValueError(f"--track {name} needs a package that is not installed: pip install {name}")


@dataclass(frozen=True)
class DeviceOptions:
    """Data, seed, device and output folder.

    Args:
        device: Device to compute on; auto uses the GPU if there is one.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"

    def torch_device(self) -> torch.device:
        """Return the device of this process.

        Raises:
            ValueError: If there is no such device.
        """
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: PyTorch finds no GPU here; use --device cpu or auto")
        if self.device == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", local_rank())


@dataclass(frozen=True)
class CompileOptions:
    """Speed and memory.

    Args:
        compile: Compile the teacher with torch.compile, and on a GPU also the students, as CUDA graphs: faster after
            the first steps, and equal up to rounding.
    """

    compile: bool = False


@dataclass(frozen=True)
class CaptureOptions:
    """Speed and memory.

    Args:
        capture: Record whole training steps as CUDA graphs and replay them; auto does so on a GPU if there are enough
            steps to pay for it. Methods that cannot be captured run as usual beside the others.
    """

    capture: Literal["auto", "on", "off"] = "auto"


@dataclass(frozen=True)
class PrecisionOptions:
    """Speed and memory.

    Args:
        teacher_precision: Number format of the teacher's forward pass. bfloat16 is faster on GPUs and changes its
            outputs; the difference is logged at start-up.
    """

    teacher_precision: Literal["float32", "bfloat16"] = "float32"

    @property
    def dtype(self) -> torch.dtype | None:
        """Return the format to autocast to; None for float32."""
        import torch

        return torch.bfloat16 if self.teacher_precision == "bfloat16" else None


@dataclass(frozen=True)
class CacheOptions:
    """Speed and memory.

    Args:
        teacher_cache: Keep the teacher's outputs for each view of each image on disk, in --folder. This does not change
            results; auto does so where it is possible and saves time.
        cache_budget: Disk space in GB for all teacher caches in --folder; by default 4, or a tenth of the free space if
            that is less.
    """

    teacher_cache: Literal["auto", "on", "off"] = "auto"
    cache_budget: NonNegative | None = None

    def __post_init__(self) -> None:
        check_options(self)

    def store(self, folder: Path) -> CacheStore | None:
        """Return the store of caches in the folder of the runs; None if no cache is wanted."""
        from ...training.cache.store import CacheStore

        if self.teacher_cache == "off":
            return None
        return CacheStore(folder / "teacher_cache", self.teacher_cache, self.cache_budget)


@dataclass(frozen=True)
class MemoryOptions:
    """Speed and memory.

    Args:
        memory_budget: Memory in GB (GPU memory if there is a GPU) that students trained together may use; by default
            nine tenths of the free memory. Students that do not fit are trained one after another.
    """

    memory_budget: Positive | None = None

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class DistributedOptions:
    """Speed and memory.

    Args:
        sync_batchnorm: With several GPUs (`torchrun -m stillhouse distill ...`), normalise by the whole batch in the
            students' BatchNorms, instead of by each GPU's share.
    """

    sync_batchnorm: bool = False


@dataclass(frozen=True)
class RunOptions:
    """Options of every training: those that `train` and `distill` both read."""

    data: DataOptions = field(default_factory=DataOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    tracking: TrackOptions = field(default_factory=TrackOptions)
    device: DeviceOptions = field(default_factory=DeviceOptions)
    compilation: CompileOptions = field(default_factory=CompileOptions)
    capturing: CaptureOptions = field(default_factory=CaptureOptions)
    distribution: DistributedOptions = field(default_factory=DistributedOptions)
    length: EpochOptions = field(default_factory=EpochOptions)
    config: TrainConfig = field(default_factory=TrainConfig)

    def load(
        self, display: Display, strong_view: bool = False, expected: InputSpec | None = None, is_trained: bool = True
    ) -> Data:
        """Load the data of the run and describe them to the user; see `DataOptions.load`."""
        return self.data.load(
            display,
            self.split,
            batch_size=self.config.batch_size,
            seed=self.output.seed,
            strong_view=strong_view,
            is_trained=is_trained,
            expected=expected,
        )

    def for_data(self, data: Data) -> RunOptions:
        """Return the options with the number of epochs filled in."""
        return dataclasses.replace(self, config=self.length.complete(self.config, data))

    def of_size(self, image_size: int) -> RunOptions:
        """Return the options with this size of the images."""
        return dataclasses.replace(self, data=dataclasses.replace(self.data, image_size=image_size))
