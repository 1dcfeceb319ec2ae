"""Puts together what a command asks for: data, networks, the teacher, and the lessons with their run folders."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from .. import distributed
from ..data import Data, Folder, load
from ..distillation import Distillation
from ..method import Method
from ..methods import CE, parse
from ..models.spec import NetworkSource
from ..taps import Tapped
from ..training.cache_store import CacheStore
from ..training.config import TrainConfig
from ..training.run_folder import Run
from ..training.student import StudentTrainer
from ..user_code import hash_of_file

if TYPE_CHECKING:
    from ..training.teacher import Teacher

EPOCHS = {"digits": 20}  # what the defaults of the command line are for; other data have the protocol's 240
EPOCHS_ON_DISK = 90  # images too large for memory: the ImageNet protocol


@dataclass(frozen=True)
class Setting:
    """What a run is about, and where it is kept.

    Args:
        data: A data set by name (`stillhouse list data`), or a folder: CIFAR archives, parquet files, or class folders.
        image_size: Height and width in px; the data's own when left out.
        validation: Fraction of the training images held out to choose by; the test images then stay unseen to the end.
        seed: Everything random follows from it.
        folder: Where the folders of runs are kept.
        device: Where to compute; auto takes the GPU if there is one.
        workers: Processes that read images from disk; chosen when left out.
        compile: Compile the teacher with torch.compile, on a GPU the students as well, as CUDA graphs: faster after the
            first steps, equal up to rounding.
        teacher_precision: Number format the teacher computes in. bfloat16 is faster on GPUs and changes its answers: by
            how much is said at the beginning.
        teacher_cache: Keep on disk, below --folder, what the teacher says about each view of each image. This changes
            no result; auto does it where it pays and fits.
        memory_budget: GB of memory, the GPU's if there is one, that students may take who are taught together; nine
            tenths of what is free when left out. Those that do not fit are taught one after another.
        cache_budget: GB that all teacher caches below --folder may take; 4 when left out, or a tenth of the free disk
            if that is less.
        sync_batchnorm: With several GPUs (`torchrun -m stillhouse distill ...`), students' BatchNorms see the whole
            batch instead of each GPU's share.
    """

    data: str = "digits"
    image_size: int | None = None
    validation: float = 0.0
    seed: int = 0
    folder: Path = Path("runs")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int | None = None
    compile: bool = False
    teacher_precision: Literal["float32", "bfloat16"] = "float32"
    teacher_cache: Literal["auto", "on", "off"] = "auto"
    memory_budget: float | None = None
    cache_budget: float | None = None
    sync_batchnorm: bool = False

    def __post_init__(self) -> None:
        if self.memory_budget is not None and not 0 < self.memory_budget < math.inf:
            raise ValueError(f"--memory_budget must be above 0, in GB, not {self.memory_budget:g}")

    def torch_device(self) -> torch.device:
        """Raises ValueError where there is no such device."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("--device cuda: PyTorch finds no GPU here; use --device cpu or auto")
        if self.device == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", distributed.local_rank())

    @property
    def shelf(self) -> CacheStore | None:
        """Where teacher caches stand, if there shall be any."""
        if self.teacher_cache == "off":
            return None
        return CacheStore(self.folder / "teacher_cache", self.teacher_cache, self.cache_budget)

    def load(self, batch_size: int, strong_view: bool = False) -> Data:
        return load(
            self.data,
            batch_size=batch_size,
            seed=self.seed,
            image_size=self.image_size,
            validation=self.validation,
            workers=self.workers,
            strong_view=strong_view,
        )


def epochs_for(data: Data) -> int:
    """How long to train where nobody said so."""
    return EPOCHS_ON_DISK if isinstance(data.train, Folder) else EPOCHS.get(data.name, TrainConfig.epochs)


def about(source: NetworkSource, data: Data) -> dict[str, object]:
    """What the files with a network's weights say of it."""
    return {
        "network": source.name,
        "data": data.name,
        "image_size": data.info.image_size,
        "mean": list(data.mean),
        "std": list(data.std),
        "classes": list(data.classes),
    }


def trainer_alone(source: NetworkSource, data: Data, recipe: TrainConfig, setting: Setting) -> StudentTrainer:
    """A network that learns from the labels by itself: what `stillhouse train` makes, and every baseline."""
    config = {"model": source.name, "weights": source.weights, "anatomy": _plain(source.anatomy)}
    identity = {"command": "train", "network": source.identity()}
    run = _run(f"{data.name}-{source.short}-seed{setting.seed}", identity, config, data, recipe, setting)
    return _trainer(source, None, [CE()], data, recipe, setting, run, f"{source.short} by itself")


def trainer_taught(
    source: NetworkSource,
    teacher: Teacher,
    methods: Sequence[parse.MethodSpec],
    data: Data,
    recipe: TrainConfig,
    setting: Setting,
    config: Mapping[str, object],
) -> StudentTrainer:
    """A student that listens to a teacher."""
    method_specs = [str(method) for method in methods]
    identity = {
        "command": "distill",
        "network": source.identity(),
        "teacher": teacher.identity(),
        "methods": method_specs,
        "files": [hash_of_file(file) for file in parse.sources(methods)],
        **({"teacher_precision": setting.teacher_precision} if setting.teacher_precision != "float32" else {}),
    }
    names = "+".join(method.cls.__name__ for method in methods)
    slug = f"{data.name}-{source.short}-from-{teacher.short}-{names}-seed{setting.seed}"
    config = {**config, "methods": method_specs}
    run = _run(slug, identity, config, data, recipe, setting)
    built = [method.build() for method in methods]
    return _trainer(source, teacher.net, built, data, recipe, setting, run, f"{source.short} {names}")


def rehearse(
    student: NetworkSource,
    teacher: NetworkSource,
    methods: Sequence[parse.MethodSpec],
    data: Data,
    setting: Setting,
) -> None:
    """Puts a lesson together with a teacher that is not trained yet.

    Raises:
        ValueError: If a network cannot be built, or a method refuses these two.
    """
    nets = [source.tapped(source.build(data, setting.seed), data) for source in (student, teacher)]
    Distillation(nets[0], nets[1], [method.build() for method in methods], data.info)


def _trainer(
    source: NetworkSource,
    teacher: Tapped | None,
    methods: Sequence[Method],
    data: Data,
    recipe: TrainConfig,
    setting: Setting,
    run: Run,
    name: str,
) -> StudentTrainer:
    model = source.build(data, setting.seed)
    if setting.sync_batchnorm:
        if distributed.world_size() == 1 or setting.torch_device().type != "cuda":
            raise ValueError("--sync_batchnorm is for several processes with a GPU each, started by torchrun")
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call] # in PyTorch
    student = source.tapped(model, data)
    return StudentTrainer(Distillation(student, teacher, methods, data.info), recipe, run, about(source, data), name)


def _run(
    slug: str,
    identity: Mapping[str, object],
    config: Mapping[str, object],
    data: Data,
    recipe: TrainConfig,
    setting: Setting,
) -> Run:
    kept = {key: value for key, value in dataclasses.asdict(setting).items() if key != "workers"}
    depends = {
        **identity,
        "data": data.fingerprint,
        "normalisation": [data.mean, data.std],
        "image_size": data.info.image_size,
        "validation": setting.validation,
        "recipe": dataclasses.asdict(recipe),
        "seed": setting.seed,
        "compile": setting.compile,
        "sync_batchnorm": setting.sync_batchnorm,
        **(
            {"processes": distributed.world_size()} if distributed.world_size() > 1 else {}
        ),  # each with BatchNorms of its own
    }
    complete = {**config, **kept, **dataclasses.asdict(recipe)}
    return Run(setting.folder, slug, depends, {key: _plain(value) for key, value in complete.items()})


def _plain(value: object) -> object:
    """Values as YAML shows them best."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
