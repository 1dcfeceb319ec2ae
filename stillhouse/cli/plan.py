"""`stillhouse plan`: what a distillation will take, and how fast its students are, before anything is trained."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Sequence

import torch

from ..bench.entries import Entry
from ..data import Data
from ..plan.budget import Proposal, Way, propose, rescaled
from ..plan.candidate import Candidate
from ..plan.courses import Course
from ..plan.duplicates import duplicates
from ..plan.speed import BATCHES, Speed, speeds_of
from ..report.recipes import find
from ..training.config import TrainConfig
from ..training.evaluation import size_of
from ..training.progress import Display
from ..training.teachers.teacher import Teacher
from .distill import Opened, opened
from .groups.run import PrecisionOptions
from .options.distill import Distill
from .options.plan import Plan
from .runs.courses import changed_course, compiled_course, courses_of
from .runs.planned import Planned, built, check, look, taught_first, untrained_teacher
from .summary import ahead, planning
from .summary.planned_files import write
from .summary.planned_stages import of_stages

_WHOLE = 45.0  # seconds for everything, about
_COMPARING, _LATENCY = 12.0, 0.3  # seconds: for all images at most; for a network in each situation
_BUDGET = 12.0  # seconds of the whole for other settings, and at least so many
_LEAST, _SLOW = 3, 1000.0  # calls that are timed of a network; ms of a call, from which on it is a single one


def planned(command: Plan, display: Display) -> None:
    until = time.perf_counter() + _WHOLE
    entries = check(command)
    names = command.planning.students
    strong = any(method.build().needs_strong_view for entry in entries for method in entry.methods)
    shared = opened(command.distill(names[0]), display, strong)
    data, device = shared.data, command.run.device.torch_device()
    found = duplicates(data, min(_COMPARING, _WHOLE / 4))
    planning.of_data(display, data, found, command.run.data.skip_broken)

    teacher = shared.teacher or untrained_teacher(command.distill(names[0]), shared)
    look(shared, device, display)
    plans = [_built(command, name, shared, teacher, entries, display) for name in names]
    of_stages(display, teacher, [(one.name, one.taught.distillation) for one in plans], data.info.image_size)

    networks = [teacher.net.model, *(one.taught.model for one in plans)]
    sizes = [_size(network, data.info.image_size) for network in networks]
    copies = [copy.deepcopy(network) for network in networks]  # in the memory format that they are used in
    times = [_latencies(network, data, device, BATCHES[:1]) for network in copies]
    end = until - (0.0 if command.planning.seconds is None else _BUDGET)
    courses = courses_of(plans, shared, teacher, taught_first(command, shared, names[0], display), device, end)
    for place, network in enumerate(copies):
        if place and (place == 1 or time.perf_counter() < until):
            is_slow = BATCHES[1] * max(speed.latency.p50 for speed in times[place]) > _SLOW
            times[place] += _latencies(network, data, device, BATCHES[1:], 1 if is_slow else _LEAST)
    labels = [f"{teacher.short} (teacher)", *names]
    candidates = [Candidate(*row) for row in zip(labels, *zip(*sizes, strict=True), times, strict=True)]
    planning.of_networks(display, candidates, device)
    if any(len({speed.images for speed in found}) < len(BATCHES) for found in times[1:]):
        display.note(f"{BATCHES[-1]} images at once were not measured of every student, because the time was up")

    config = shared.complete(plans[0].command).run.config
    compiled = None
    if command.run.compilation.compile:
        pairs = zip(plans, courses, strict=True)
        compiled = [compiled_course(one, course, teacher, data, device, display) for one, course in pairs]
    if command.run.capturing.capture != "off" and device.type == "cuda":
        display.note("steps are timed without CUDA graphs, which make those of small networks faster: --capture")
    planning.of_hours(display, courses, compiled, config.epochs, data.train.steps, config.batch_size)
    write(command, data, found, candidates, courses, config.epochs, display)
    _propose(command, plans, courses, compiled, shared, teacher, device, display)
    if command.distillation.recipe is not None and (recipe := find(command.distillation.recipe)).top1:
        display.say(f"published for {recipe.name}: {recipe.report()}")


def _built(
    command: Plan, name: str, shared: Opened, teacher: Teacher, entries: Sequence[Entry], display: Display
) -> Planned:
    """Build the students of a network; an error says which one it is of, a note if it is larger than its teacher.

    Raises:
        ValueError: If one cannot be built.
    """
    try:
        found = built(command.distill(name), name, shared, teacher, entries, display)
    except ValueError as error:
        raise ValueError(f"--student {name}: {error}") from None
    display.note(ahead.larger(found.taught, teacher.net, name))
    return found


def _size(network: torch.nn.Module, image_size: int) -> tuple[int, int]:
    """Return the numbers of parameters and multiply-accumulates; 0 for the latter if PyTorch cannot count them."""
    try:
        return size_of(network, image_size)
    except (RuntimeError, TypeError, ValueError, AssertionError):  # the user's network
        return sum(one.numel() for one in network.parameters()), 0


def _latencies(
    network: torch.nn.Module, data: Data, device: torch.device, images: Sequence[int], least: int = _LEAST
) -> list[Speed]:
    return speeds_of(network, data.info.image_size, images, None, device, _LATENCY, least)


def _propose(
    command: Plan,
    plans: Sequence[Planned],
    courses: Sequence[Course],
    compiled: Sequence[Course] | None,
    shared: Opened,
    teacher: Teacher,
    device: torch.device,
    display: Display,
) -> None:
    """Print the command of each student, changed so that it fits the budget if there is one."""
    budget, until, left_out = command.planning.seconds, time.perf_counter() + _BUDGET, list[str]()
    for one, course, asked in zip(plans, courses, compiled or courses, strict=True):
        epochs = one.command.run.config.epochs
        if budget is None:
            planning.of_command(display, command, one.name, {}, shared.data)
            continue
        ways = [Way(asked.seconds, {})]
        if asked is not course:
            ways.append(Way(course.seconds, {"compile": False}, ["compile true -> false"]))
        if all(way.seconds(epochs) > budget for way in ways):
            for changed, changes, gives_up in ways_around(one.command):
                if asked is not course:
                    left_out.append("each would be compiled anew; plan without --compile to have them tried")
                    continue
                if time.perf_counter() > until:
                    left_out.append("the time was up")
                    continue
                other = changed_course(changed, one, shared, teacher, course, device)
                ways.append(Way(other.seconds, changes, gives_up))
        least = max(1, math.ceil(one.command.run.config.lr_warmup))
        proposal = _rescaled(propose(ways, epochs, budget, least), one.command.run.config)
        planning.of_budget(display, one.name, proposal, course, budget, least)
        if proposal.epochs:
            planning.of_command(display, command, one.name, proposal.changes, shared.data)
    for why in dict.fromkeys(left_out):
        display.note(f"other batch sizes and bfloat16 were not tried with every student, because {why}")


def _rescaled(proposal: Proposal, config: TrainConfig) -> Proposal:
    """Return a proposal of fewer epochs in which the learning rate drops after the same parts of them."""
    whole = [milestone for milestone in config.milestones if milestone >= 1]
    if config.schedule != "steps" or not whole or proposal.epochs in (0, config.epochs):
        return proposal
    fractions = rescaled(config.milestones, config.epochs)
    clause = f"milestones {', '.join(f'{one:g}' for one in whole)} are fractions of the epochs now"
    changes = {**proposal.changes, "milestones": fractions}
    return dataclasses.replace(proposal, changes=changes, gives_up=[*proposal.gives_up, clause])


def ways_around(command: Distill) -> list[tuple[Distill, dict[str, object], list[str]]]:
    """Return changes of a distillation that may make it faster: the command, the options, and what they give up."""
    config, found = command.run.config, []
    if config.precision == "float32":
        run = dataclasses.replace(command.run, config=dataclasses.replace(config, precision="bfloat16"))
        halved = dataclasses.replace(command, run=run, precision=PrecisionOptions("bfloat16"))
        changes: dict[str, object] = {"precision": "bfloat16", "teacher_precision": "bfloat16"}
        found.append((halved, changes, ["precision float32 -> bfloat16"]))
    size, lr = 2 * config.batch_size, 2 * config.lr
    run = dataclasses.replace(command.run, config=dataclasses.replace(config, batch_size=size, lr=lr))
    words = [f"batch size {config.batch_size} -> {size}, with lr {config.lr:g} -> {lr:g}"]
    found.append((dataclasses.replace(command, run=run), {"batch_size": size, "lr": lr}, words))
    return found
