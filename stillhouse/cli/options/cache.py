"""Options of `stillhouse cache`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...anatomy import Anatomy
from ...ranges import Count, NonNegative, check_options
from ...training.config import TrainConfig
from ...training.teachers.places import about_place, place_of
from ..groups.data import DataOptions, SplitOptions, reading_of
from ..groups.networks import TeacherOptions
from ..groups.run import CompileOptions, DeviceOptions, PrecisionOptions


@dataclass(frozen=True)
class FillOptions:
    """Teacher whose outputs to cache.

    Args:
        teacher: The folder of a finished run, or a network as for `stillhouse distill`.
        teacher_weights: A file with the teacher's trained weights, or `pretrained` for timm's or torchvision's own.
        teacher_anatomy: Override the detected layer names of the teacher.
        embedding: Also cache the input of its classifier, for methods such as CRD.
        folder: Folder of the runs that will use the cache.
        batch_size: Batch size of the runs that will use the cache.
        cache_budget: Disk space in GB for all teacher caches in --folder; by default 4, or a tenth of the free space if
            that is less.
    """

    teacher: str
    teacher_weights: str | None = None
    teacher_anatomy: Anatomy | None = None
    embedding: bool = False
    folder: Path = Path("runs")
    batch_size: Count = TrainConfig.batch_size
    cache_budget: NonNegative | None = None

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Fill:
    """Cache a teacher's outputs for every view of every image, for later `distill`s with the same --folder,
    --batch_size and --device."""

    cache: FillOptions
    knowledge: TeacherOptions
    data: DataOptions
    split: SplitOptions
    device: DeviceOptions
    compilation: CompileOptions
    precision: PrecisionOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the options by which the teacher's images were read."""
        return reading_of(about_place(place_of(values["teacher"], values["teacher_weights"])))
