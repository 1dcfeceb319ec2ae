"""Examination of a trained network on held-out images, before it is used as a teacher or when it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ... import distributed
from ...analysis.metrics import divergence
from ...data import Data, Folder, Split
from ...models.adapt import renormalise
from ...models.input_spec import USUAL, Channels, shown
from ...modes import in_eval_mode
from ..evaluation import Scores, batch_size
from ..progress import Display
from .checks import chance, check_teacher, least_gain
from .teacher import Teacher

_TRIED = 512  # images with which other normalisations are tried
_MOST_ON_DISK = 2048  # images; reading more for this takes too long


def examine(
    teacher: Teacher,
    precision: torch.dtype | None,
    device: torch.device,
    data: Data,
    display: Display,
    trust: bool = False,
) -> Scores | None:
    """Measure a teacher on the held-out images, in the precision that it will be used in.

    Args:
        precision: Format to autocast to; None for float32.
        trust: Note an accuracy that is too low instead of refusing it.

    Returns:
        Scores; None for a teacher whose logits have no meaning for these data.

    Raises:
        ValueError: If it cannot teach these data.
    """
    if teacher.net.foreign_logits:
        teacher.net.precision = precision
        display.note(f"the teacher {teacher.name} {teacher.net.foreign_logits}; no method may read its logits")
        return None
    teacher.net.precision = None  # whatever it was before
    held_out = data.validation or data.test
    scores = teacher.scores(held_out, device)
    better = better_normalisation(teacher, data, held_out, device, "teacher_")
    if better and not trust:
        raise ValueError(f"the teacher {teacher.name} is right on {scores.top1:.2f} % of the held-out images; {better}")
    problems = [better, check_teacher(teacher.name, scores, data, teacher.about, trust)]
    for problem in filter(None, problems):
        display.note(problem)
    teacher.net.precision = precision
    if precision is None:
        return scores
    name = str(precision).removeprefix("torch.")
    rough = teacher.scores(held_out, device)
    check_teacher(f"{teacher.name} in {name}", rough, data, teacher.about, trust)
    display.say(
        f"teacher in {name}: {rough.top1:.2f} % top-1, {scores.top1:.2f} % in float32; its "
        f"probabilities differ by a KL divergence of {divergence(rough, scores):.1e}, and "
        f"{rough.agreement(scores):.2f} % of its guesses are the same"
    )
    return rough


def in_words(scores: Scores | None, data: Data) -> str:
    """Return what was measured of a teacher, and on which images unless these are the test images."""
    if scores is None:
        return "top-1 not measured"
    return f"{scores.top1:.2f} % top-1{' on the validation images' if data.validation else ''}"


def better_normalisation(
    teacher: Teacher,
    data: Data,
    split: Split,
    device: torch.device,
    prefix: str,
    some: tuple[Sequence[tuple[Tensor, Tensor]], Tensor] | None = None,
) -> str | None:
    """Try common normalisations on a network whose own is not known; name one with which it does better.

    Args:
        split: Held-out images.
        prefix: Prefix of the options that set it: "teacher_", or nothing.
        some: Batches of the split to try them on, as they are evaluated, with their labels, and all labels; by default
            some are read.

    Returns:
        A clause with the remedy; None if none is better.
    """
    spec = teacher.input
    if spec.is_certain and spec.mean:
        return None
    if some is None and isinstance(split, Folder) and len(split) > _MOST_ON_DISK:
        return None
    given = (data.mean, data.std)
    present = (spec.mean or data.mean, spec.std or data.std)
    share, labels = some or _some(split, device)
    model = teacher.net.model.to(device)
    reached: dict[str, float] = {}
    for name, wanted in {"the data's": given, **USUAL}.items():
        if wanted != present:
            with _renormalised(model, given, wanted, present):
                reached[name] = _accuracy(model, share, len(labels))
    now = _accuracy(model, share, len(labels))
    best = max(reached, key=reached.__getitem__)
    least = max(now, 100 * chance(labels))  # a constant answer is no sign of the right normalisation
    if reached[best] <= least + least_gain(least, len(labels)):
        return None
    mean, std = given if best == "the data's" else USUAL[best]
    return (
        f"on images with mean {shown(mean)} and std {shown(std)} it would be right on {reached[best]:.2f} % instead of "
        f"{now:.2f} %: give --{prefix}mean {_typed(mean)} --{prefix}std {_typed(std)}, or keep the present ones with "
        f"--{prefix}mean {_typed(present[0])} --{prefix}std {_typed(present[1])}"
    )


@contextmanager
def _renormalised(
    model: nn.Module,
    given: tuple[Channels, Channels],
    wanted: tuple[Channels, Channels],
    present: tuple[Channels, Channels],
) -> Iterator[None]:
    renormalise(model, given, wanted)
    try:
        yield
    finally:
        renormalise(model, given, present)


def _some(split: Split, device: torch.device) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Return batches of images evenly spread over a split with their labels, this rank's share; and all labels."""
    step, many = max(1, len(split) // _TRIED), batch_size(split.batch_size)
    found = [batch.rows(batch.indices % step == 0) for batch in split.batches(device)]
    if not found:  # there are fewer batches than ranks
        return [], torch.cat(distributed.collect(split.labels[:0].cpu()))
    images, labels = torch.cat([one.images for one in found]), torch.cat([one.labels for one in found])
    share = list(zip(torch.split(images, many), torch.split(labels, many), strict=True))
    return share, torch.cat(distributed.collect(labels.cpu()))


@torch.no_grad()
def _accuracy(model: nn.Module, share: Sequence[tuple[Tensor, Tensor]], count: int) -> float:
    """Return the percent of the images of all ranks, so many, that a network is right on."""
    with in_eval_mode(model):
        right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in share)
    return 100 * sum(distributed.collect(right)) / count


def _typed(values: Channels) -> str:
    """Write three numbers as an option takes them."""
    texts = [f"{value:g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else ",".join(texts)
