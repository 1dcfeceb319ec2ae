"""`stillhouse bench`: pairs x methods x seeds, compared on the same images, initial weights and teachers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch

from ..bench.entries import entries, unlabelled
from ..bench.jobs import job, run_here, run_on_ray
from ..bench.plan import cells, pairs_of, typed_options
from ..bench.run import Comparison
from ..ranges import Range, check_options
from ..training.progress import Display
from .arguments import named_values
from .config import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from .networks import TeacherOptions


@dataclass(frozen=True)
class BenchOptions:
    """Pairs, methods and seeds.

    Args:
        teacher: Teacher of the one pair there is when --pairs is left out; as for stillhouse distill.
        teacher_weights: A file with its trained weights, or `pretrained` for timm's or torchvision's own.
        student: Student of that pair.
        pairs: Several pairs, TEACHER-STUDENT,...; or, in a file given as --config, a list of {teacher: ..., student:
            ...} with any other options of stillhouse distill for that pair, such as teacher_weights or lr.
        methods: Methods to compare, separated by commas; the losses of one are added with +, and mean what they mean in
            stillhouse distill. CE alone is the student without a teacher.
        recipes: Published settings to compare as well, without the pair (`stillhouse list recipes`): cifar100/dkd,...
        seeds: Number of seeds; the first is --seed. Of each seed all methods see the same images in the same order and
            begin with the same weights.
        processes: Rooms that are trained at the same time on this machine, each by a process of its own; one a GPU when
            left out.
        ray: Train the rooms on a Ray cluster instead: its address, auto for the one this machine belongs to, local for
            one of this machine alone. Its machines have to share --folder.
        room: Train one room only, counted from 1: for jobs of a batch system. Rooms that other processes train are left
            to them in any case.
        teachers: A teacher without weights is trained once, with the first seed, or once for each seed.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    student: str = "resnet8"
    pairs: str | list[dict[str, Any]] | None = None
    methods: str | list[str] | None = None
    recipes: str | list[str] | None = None
    seeds: Annotated[int, Range("between 1 and 1000", 1, 1000)] = 3
    teachers: Literal["one", "per_seed"] = "one"
    processes: Annotated[int, Range("between 1 and 256", 1, 256)] | None = None
    ray: str | None = None
    room: Annotated[int, Range("at least 1", 1)] | None = None

    def __post_init__(self) -> None:
        check_options(self)
        if self.pairs is not None and self.teacher_weights:
            raise ValueError("--teacher_weights is about the one pair without --pairs; give each pair its own")


@dataclass(frozen=True)
class Bench:
    """Compare methods: every method on every pair with every seed, as many students side by side as memory allows."""

    bench: BenchOptions
    knowledge: TeacherOptions
    run: RunOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions
    given: frozenset[str]


def bench(command: Bench, display: Display) -> None:
    asked = command.bench
    command.run.tracking.check()
    by_default = "CE, CE(weight=0.1) + KD(weight=0.9)" if asked.recipes is None else None
    methods = by_default if asked.methods is None else asked.methods
    found = entries(methods, asked.recipes)
    for label in unlabelled(found):
        display.note(f"{label} has no loss on labels, as most tables add; CE + {label} would have one")
    first = command.run.output.seed
    seeds = range(first, first + asked.seeds)
    pairs = pairs_of(asked.teacher, asked.student, asked.pairs)
    comparison = Comparison(cells(pairs, found, seeds, _typed(command)), display, asked.teachers == "per_seed")
    if asked.room is not None:
        comparison.train_room(asked.room)
        return
    with_others = asked.ray is not None or _processes(command) > 1
    comparison.go((lambda rooms: _train_elsewhere(command, rooms, display)) if with_others else None)


def _processes(command: Bench) -> int:
    device = command.run.device.torch_device().type
    return command.bench.processes or (max(torch.cuda.device_count(), 1) if device == "cuda" else 1)


def _train_elsewhere(command: Bench, rooms: Mapping[int, str], display: Display) -> None:
    """Train rooms, by number and name, in other processes or on other machines."""
    values = {name: value for name, value in named_values(command).items() if name in command.given}
    own = {name: values.pop(name, None) for name in ("processes", "ray")}
    options = json.dumps({**values, "processes": 1}, default=_plain)
    jobs = [job(number, name, options) for number, name in rooms.items()]
    on_gpu = command.run.device.torch_device().type == "cuda"
    if own["ray"]:
        run_on_ray(jobs, str(own["ray"]), on_gpu, display.say)
    else:
        run_here(jobs, _processes(command), torch.cuda.device_count() if on_gpu else 0, display.say)


def _plain(value: Any) -> object:
    is_group = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_group else str(value)


def _typed(command: Bench) -> Mapping[str, Any]:
    asked = command.bench
    left_out = {"methods", "recipe", *(("teacher", "student") if asked.pairs is not None else ())}
    typed = typed_options(named_values(command), command.given)
    return {name: value for name, value in typed.items() if name not in left_out}
