"""Build students' trainers and their run folders from options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from ... import distributed
from ...checkpoints.load import Say
from ...data import Data
from ...distillation import Distillation
from ...method import Method
from ...methods import CE, parse
from ...models.create import network_files
from ...models.spec import NetworkSource
from ...taps import Tapped
from ...training.run_folder import Run
from ...training.student import StudentTrainer
from ...training.teachers.teacher import Teacher
from ...user_code import hash_of_file
from ..arguments import named_values
from ..groups.data import DEFAULT_DATA, IMAGE_OPTIONS, DataOptions, SplitOptions
from ..groups.run import RunOptions
from ..words.run_names import name_of_run

# Options that are part of a run's identity in another form.
_ALWAYS_KNOWN = ("data", "image_size", "validation", "workers", "skip_broken", "mean", "std")


def about(source: NetworkSource, data: Data, options: DataOptions = DEFAULT_DATA) -> dict[str, object]:
    """Return the description of a network that is written into the files of its weights."""
    images = {name: value for name, value in changed(options).items() if name in IMAGE_OPTIONS}
    code = [hash_of_file(file) for file in network_files(source.name)]
    return {
        "network": source.name,
        "data": data.name,
        "image_size": data.info.image_size,
        "mean": list(data.mean),
        "std": list(data.std),
        "classes": list(data.classes),
        **({} if data.test.share is None else {"share": data.test.share}),
        **({"trained_on": list(data.sample)} if data.sample else {}),
        **({"images": images} if images else {}),
        **({"code": code} if code else {}),
    }


def run_alone(source: NetworkSource, data: Data, options: RunOptions, name: str | None = None) -> Run:
    """Return the run of a network that learns from labels only: `stillhouse train`, and every baseline.

    Args:
        name: The beginning of its folder's name, if the user gave one.
    """
    network = {"model": source.name, "weights": source.weights, "anatomy": source.anatomy}
    start = {"weights_key": source.key, "skip_head": source.skip_head}
    config = {**network, **start, **named_values(options), **({"name": name} if name else {})}
    identity: dict[str, object] = {"command": "train", "network": source.identity()}
    slug = f"{name}-seed{options.output.seed}" if name else name_of_run(source.short, data, options)
    identity |= _common_identity(data, options)
    return Run(options.output.folder, slug, identity, _plain_config(config), by_hash=True)


def trainer_alone(
    source: NetworkSource, data: Data, options: RunOptions, name: str | None = None, *, say: Say | None = None
) -> StudentTrainer:
    """Build the trainer of a network that learns from labels only.

    Args:
        name: As for `run_alone`.
        say: Called with a sentence for each choice and each omission in the initial weights.
    """
    run = run_alone(source, data, options, name)
    return _trainer(source, None, [CE()], data, options, run, f"{source.short} by itself", say)


def run_taught(
    source: NetworkSource,
    teacher: Teacher,
    methods: Sequence[parse.MethodSpec],
    data: Data,
    options: RunOptions,
    config: Mapping[str, object],
    name: str | None = None,
    known: Mapping[str, object] | None = None,
) -> Run:
    """Return the run of a student that learns from a teacher.

    Args:
        teacher: The teacher, in the precision that it is used in.
        config: Content of `config.yaml`, except for the methods.
        name: As for `run_alone`.
        known: The teacher's identity, where it was computed for another student.
    """
    method_specs = [str(method) for method in methods]
    precision, known = teacher.net.precision, known or teacher.identity()
    identity: dict[str, object] = {
        "command": "distill",
        "network": source.identity(),
        "teacher": known,
        "methods": method_specs,
        "files": [hash_of_file(file) for file in parse.sources(methods)],
        **({"teacher_precision": str(precision).removeprefix("torch.")} if precision else {}),
    }
    usual = name_of_run(f"{source.short}-from-{teacher.short}", data, options, methods)
    identity |= _common_identity(data, options)
    config = _plain_config({**config, "methods": method_specs})
    origin = {"teacher": {"network": teacher.short, "weights_hash": known["weights"]}}
    slug = f"{name}-seed{options.output.seed}" if name else usual
    return Run(options.output.folder, slug, identity, config, origin, by_hash=True)


def trainer_taught(
    source: NetworkSource,
    teacher: Teacher,
    methods: Sequence[parse.MethodSpec],
    data: Data,
    options: RunOptions,
    config: Mapping[str, object],
    name: str | None = None,
    *,
    say: Say | None = None,
) -> StudentTrainer:
    """Build the trainer of a student that learns from a teacher.

    Args:
        teacher: The teacher, in the precision that it is used in.
        config: Content of `config.yaml`, except for the methods.
        name: As for `run_alone`.
        say: As for `trainer_alone`.
    """
    run = run_taught(source, teacher, methods, data, options, config, name)
    built = [method.build() for method in methods]
    return _trainer(source, teacher.net, built, data, options, run, f"{source.short} {_joined(methods)}", say)


def _joined(methods: Sequence[parse.MethodSpec]) -> str:
    return "+".join(method.cls.__name__ for method in methods)


def _trainer(
    source: NetworkSource,
    teacher: Tapped | None,
    methods: Sequence[Method],
    data: Data,
    options: RunOptions,
    run: Run,
    name: str,
    say: Say | None,
) -> StudentTrainer:
    model = source.build(data, options.output.seed, say)
    if options.distribution.sync_batchnorm:
        if distributed.world_size() == 1 or options.device.torch_device().type != "cuda":
            raise ValueError("--sync_batchnorm needs several processes with a GPU each; start them with torchrun")
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call] # in PyTorch
    student = source.tapped(model, data)
    distillation = Distillation(student, teacher, methods, data.info)
    run.track(options.tracking.names, say or str)
    return StudentTrainer(distillation, options.config, run, about(source, data, options.data), name)


def _common_identity(data: Data, options: RunOptions) -> dict[str, object]:
    """Return everything that a training depends on, except its network and teacher."""
    processes = distributed.world_size()
    return {
        "data": data.fingerprint,
        "normalisation": [data.mean, data.std],
        "image_size": data.info.image_size,
        "validation": options.split.validation,
        "recipe": dataclasses.asdict(options.config),
        "seed": options.output.seed,
        "compile": options.compilation.compile,
        "sync_batchnorm": options.distribution.sync_batchnorm,
        **({"processes": processes} if processes > 1 else {}),  # each has its own BatchNorm statistics
        **changed(options.data, options.split),
    }


def changed(*groups: DataOptions | SplitOptions) -> dict[str, object]:
    """Return the options that are not at their defaults, among those added after the first runs were made."""
    return {
        field.name: str(getattr(group, field.name))
        for group in groups
        for field in dataclasses.fields(group)
        if field.name not in _ALWAYS_KNOWN and getattr(group, field.name) != field.default
    }


def _plain_config(config: Mapping[str, object]) -> dict[str, object]:
    """Return the values in a form that YAML shows well; without `workers`, which is a matter of the machine."""
    return {name: _plain(value) for name, value in config.items() if name != "workers"}


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
