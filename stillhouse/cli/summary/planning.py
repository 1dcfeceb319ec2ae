"""The words and tables of a plan: what was measured, what was computed from it, and the command to go on with."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence

import torch

from ...analysis.tables import Fitting, magnitude
from ...anatomy import Anatomy
from ...data import Data
from ...plan.budget import FEW, Proposal
from ...plan.candidate import Candidate, situations
from ...plan.courses import Course
from ...plan.duplicates import KINDS, Duplicates, Pair
from ...report.latency import machine
from ...spelling import counted, printable
from ...training.progress import Display
from ..arguments import named_values
from ..inspect_data import balance
from ..options.plan import Plan

_SHOWN = 3  # pairs of duplicates, or broken images, on the terminal
_NOT_TYPED = ("data", "budget", "student", "format", "config")  # options of a plan that are not those of its command
_GB = 1e9
_DRIFT = 0.15  # of a machine's speed while it is timed, from which on it is said


def of_data(display: Display, data: Data, found: Duplicates, skips: bool) -> None:
    """Print classes, their sizes, broken images and duplicates.

    Args:
        skips: True if the user left out broken images.
    """
    display.say(balance(data))
    if data.skipped and not skips:
        display.note(
            f"stillhouse distill refuses data with {counted(data.skipped, 'broken image')}: repair or delete them, or "
            f"leave them out with --skip_broken true"
        )
    for image, why in found.broken[:_SHOWN]:
        display.note(f"{image.split} image that is found to be broken only when it is decoded: {why}")
    if found.compared < found.images:
        display.note(
            f"duplicates: the pixels of {found.compared:,} of {found.images:,} images were compared, and the bytes of "
            f"the others"
            if found.compared
            else "duplicates were not looked for: these splits are of your own class"
        )
    if not found.pairs:
        display.say(f"duplicates: none among {found.compared:,} images")
        return
    shown = KINDS if found.pairs[0].image.name else KINDS[1:]  # images in memory are no files any more
    rows = [(where, *(f"{kinds[kind]:,}" for kind in shown)) for where, kinds in sorted(found.counts().items())]
    display.console.print(Fitting(["duplicates", *shown], rows))
    if found.leaked:
        held_out = len(data.test) + (0 if data.validation is None else len(data.validation))
        display.note(
            f"{found.leaked:,} of {held_out:,} held-out images are training images as well, such as "
            f"{_pair(found.across[0], data)}: accuracy on them says nothing about new images"
        )
    if torn := found.in_two_classes:
        which = "; ".join(_pair(pair, data) for pair in torn[:_SHOWN])
        display.note(f"{counted(len(torn), 'duplicate')} with two classes, such as {which}")


def _pair(pair: Pair, data: Data) -> str:
    one, other = ((image, data.classes[image.label]) for image in (pair.image, pair.other))
    return printable(f"{one[0]} ({one[1]}) = {other[0]} ({other[1]})")


def of_networks(display: Display, candidates: Sequence[Candidate], device: torch.device) -> None:
    """Print sizes and latencies of the networks."""
    rows = [(one.name, f"{one.parameters:,}", magnitude(one.macs) if one.macs else "not counted") for one in candidates]
    display.console.print(Fitting(["network", "parameters", "MACs an image"], rows))
    known = situations(candidates)
    where = "on the GPU" if device.type == "cuda" else f"on {machine()}"
    headings = [f"{images} image{'s' * (images > 1)}, {counted(threads, 'thread')}" for images, threads in known]
    timed = [
        (one.name, *("" if (speed := one.latency(*place)) is None else str(speed.latency) for place in known))
        for one in candidates
    ]
    title = "ms, median / 95th percentile: measured, eager PyTorch, float32"
    if len(known) <= 2:
        display.console.print(Fitting(["network", *headings], timed, title=title))
    else:  # one column for each number of images and threads does not fit
        short = [f"{images} im, {threads} thr" for images, threads in known]
        display.console.print(Fitting(["network", *short], timed, title=title))
    display.say(f"latency was measured {where}; of the teacher one image at a time")


def of_hours(
    display: Display, courses: Sequence[Course], compiled: Sequence[Course] | None, epochs: int, steps: int, size: int
) -> None:
    """Print what the training of each student takes."""
    rows = []
    for place, course in enumerate(courses):
        if course.teacher is not None and place == 0:
            labels = [*course.teacher.students]
            step, epoch = course.teacher.step(labels), course.teacher.epoch(labels)
            length, whole = course.teacher_epochs or epochs, course.teacher_seconds(epochs)
            name = "teacher, first" + (f", {counted(length, 'epoch')}" if length != epochs or course.seeds > 1 else "")
            rows += [
                (name, _seconds(step), in_words(epoch), in_words(whole), _gb(course.teacher.memory)),
                (),
            ]
        for words, one, cached in _variants(course, compiled[place] if compiled else None):
            taught = one.taught(epochs, cached)
            step, epoch = one.pace.step(one.labels, taught), one.pace.epoch(one.labels, taught)
            whole = one.seconds(epochs, cached) - one.teacher_seconds(epochs)
            rows.append((words, _seconds(step), in_words(epoch), in_words(whole), _gb(one.pace.memory)))
    title = f"{counted(epochs, 'epoch')} of {counted(steps, 'step')}; steps are measured, epochs and totals computed"
    total = f"{counted(epochs, 'epoch')}" + (f" x {courses[0].seeds} seeds" if courses[0].seeds > 1 else "")
    display.console.print(Fitting(["training", "step", "epoch", total, "memory"], rows, title=title))
    for course, other in zip(courses, compiled or [], strict=False):
        if (own := other.pace.step(other.labels)) > (eager := course.pace.step(course.labels)):
            words = f"a step takes {_seconds(own)} compiled and {_seconds(eager)} eagerly"
            display.note(f"compiling makes {course.name} no faster on this machine: {words}; leave --compile true out")
    _explain(display, courses, compiled is not None, size)
    for course in compiled or courses:
        first = course.teacher_seconds(epochs)
        display.say(
            f"{course.name}: about {in_words(course.seconds(epochs))} in all"
            + (f", {in_words(first)} of it for the teacher" if first else "")
        )


def _variants(course: Course, compiled: Course | None) -> list[tuple[str, Course, bool]]:
    has_cache = course.cache.obstacle is None and course.cache.views > 0
    found = [(course.name, course, False)]
    found += [("  with teacher cache", course, True)] if has_cache else []
    if compiled is not None:
        found.append(("  compiled", compiled, False))
        found += [("  compiled, with cache", compiled, True)] if has_cache else []
    return found


def _explain(display: Display, courses: Sequence[Course], is_compiled: bool, size: int) -> None:
    """Say who is trained, what was timed, and what the cache and compiling do."""
    course = courses[0]
    display.say(f"each student: {' beside '.join(course.labels)}")
    for pace, name in ((one.pace, f" of {one.name}" if len(courses) > 1 else "") for one in courses):
        part = f"{pace.images} of {size} images, multiplied, of " if 0 < pace.images < size else ""
        display.say(
            f"a step{name} is {_seconds(pace.reading)} of reading and augmenting, {_seconds(pace.teacher)} of the "
            f"teacher, {_seconds(sum(pace.students.values()))} of students (the mean of "
            f"{counted(pace.timed, 'step')} of each on {part}real batches)"
        )
    if (drift := max(one.pace.drift for one in courses)) > _DRIFT:
        display.note(
            f"this machine was up to {100 * drift:.0f} % slower for a part of the time in which steps were timed; the "
            f"hours are no surer than that"
        )
    said = {one.name: _cached(one) for one in courses}
    for words in dict.fromkeys(said.values()):
        names = [name for name, other in said.items() if other == words]
        display.say(words if len(names) == len(courses) else f"{', '.join(names)}: {words}")
    if not is_compiled:
        display.say("compiled: not measured, since compiling takes some minutes; --compile true measures it")


def _cached(course: Course) -> str:
    """Return a sentence about the teacher's cache."""
    if course.cache.obstacle is not None:
        return f"no teacher cache: {course.cache.obstacle}"
    views = counted(course.cache.views, "view")
    return f"teacher cache: computed from {views} of each image, if it is empty before; a second run reads it all"


def in_words(seconds: float) -> str:
    """Return a duration as exactly as an estimate is: 45 s, 12 min, 3.4 h, 68 h."""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 100:
        return f"{minutes:.1f} min" if minutes < 9.95 else f"{minutes:.0f} min"
    return f"{hours:.1f} h" if hours < 9.95 else f"{hours:,.0f} h"


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if value < 1 else f"{value:.3g} s"


def _gb(count: int) -> str:
    return f"{count / _GB:.2g} GB" if count else ""


def of_budget(display: Display, name: str, proposal: Proposal, course: Course, budget: float, least: int = 1) -> None:
    """Print what fits into a budget, and what it gives up; `least` is the smallest number of epochs."""
    within = f"{name} in {in_words(budget)}"
    if not proposal.epochs:
        few = "one epoch fits, which takes" if least == 1 else f"the {least} epochs of --lr_warmup fit, which take"
        display.note(
            f"{within}: not even {few} {in_words(proposal.seconds)} in all; give more time, a "
            f"part of the images with --train_fraction, or a smaller --image_size"
        )
        return
    if not proposal.gives_up:
        display.say(f"{within}: fits as asked, {in_words(proposal.seconds)}; nothing is given up")
        return
    cache = course.cache.obstacle is None and course.cache.views > 0
    parts = [*proposal.gives_up, "the teacher's outputs are cached" if cache else "no teacher cache"]
    display.say(f"{within}: takes {in_words(proposal.seconds)}; {'; '.join(parts)}")
    if proposal.is_short:
        display.note(f"in fewer than {FEW} epochs a student learns little")


def of_command(display: Display, command: Plan, name: str, changes: Mapping[str, object], data: Data) -> None:
    """Print the command that trains a student, on a line that can be pasted."""
    values = {**named_values(command.distill(name)), **changes}
    typed = list(dict.fromkeys(["data", "teacher", "student", *sorted(command.given.difference(_NOT_TYPED)), *changes]))
    if data.skipped and "skip_broken" not in typed:
        typed.append("skip_broken")
    words = "".join(f" --{option} {_word(values[option])}" for option in typed if values.get(option) is not None)
    display.say(f"to train {name}:")
    display.paste(f"stillhouse distill{words}")


def _word(value: object) -> str:
    if isinstance(value, Anatomy):
        return shlex.quote(json.dumps(dataclasses.asdict(value)))
    if isinstance(value, bool):
        return str(value).lower()
    return shlex.quote(",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
