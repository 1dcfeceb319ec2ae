"""What every method must keep to, law by law: the contract of method.py as something to run."""

import copy
import inspect
import random
import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from torch import Tensor, nn

from .catalogue import Spelled
from .classroom import Classroom, Lesson
from .distillation import Distillation
from .gate import fingerprint
from .method import Method, SpotMethod, Warmup
from .modes import in_eval_mode
from .outputs import Batch, DataInfo, Outputs
from .recipe import Recipe
from .runs import Run
from .specimens import DATA, PAIRS, Pair, batch
from .taps import Tapped

_ROUNDING = 1e-4  # of float32, relative to the largest number compared
_STEPS = 4  # in each phase of a short training
_CITATION = re.compile(r"([^().]+) \(([^()]+?), ((?:[^,()]+ )?((?:19|20)\d\d))(?:, ([^()]+))?\)")


class Broken(Exception):  # noqa: N818 (whether that is an error is for the caller to say)
    """A law is broken; the sentence says how."""


class Law(NamedTuple):
    """What must hold. To try it returns a remark worth reading, or nothing, and raises `Broken` where it is broken."""

    says: str
    try_on: "Callable[[Subject], str]"


@dataclass(frozen=True)
class Subject:
    """A method to be tried."""

    spelled: Spelled

    @cached_property
    def pair(self) -> Pair:
        """The first one that the method does not refuse."""
        refusals = []
        for pair in PAIRS:
            try:
                Trial(self.spelled, pair)
            except ValueError as error:
                refusals.append(f"{pair.name}: {error}")
            else:
                return pair
        raise Broken(f"it refuses every pair of networks, {refusals[0]}")

    def trial(self) -> "Trial":
        return Trial(self.spelled, self.pair)


class Trial:
    """A new method between a new student and a teacher, the same each time."""

    def __init__(self, spelled: Spelled, pair: Pair, data: DataInfo = DATA, student: int = 0):
        self.teacher = Tapped(pair.teacher()).eval()
        self.distillation = Distillation(pair.student(student), self.teacher, [spelled.build()], data).train()
        ((self.name, self.method),) = self.distillation.named_methods()
        self.phases = self.distillation.phases(epochs=1)

    def ask(self, batch: Batch) -> tuple[Outputs, Outputs]:
        """What student and teacher say."""
        with torch.no_grad():
            said = self.teacher.see(batch)
        return self.distillation.student.see(batch), said

    def charge(self, student: Outputs, teacher: Outputs, batch: Batch) -> list[Tensor]:
        """The losses of all phases, (N,) or () each; nothing is remembered of the call."""
        method, warmups = copy.deepcopy((self.method, [warmup for _, warmup in self.distillation.warmups]))
        return [*(warmup.loss(student, teacher, batch) for warmup in warmups), method(student, teacher, batch)]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The loss by phase, as in training, (): all that counts is in the mode it has then."""
        losses = {}
        for phase in self.phases:
            self.distillation.eval()
            for module in phase.trains:
                module.train()
            with torch.no_grad():
                said = self.teacher.see(batch)
            losses[phase.name] = torch.stack(list(phase.terms(batch, said).values())).sum()
        return losses

    def descend(self, losses: Mapping[str, Tensor]) -> None:
        """Backward through each loss that has a gradient."""
        for loss in losses.values():
            if loss.requires_grad:
                loss.backward()

    def named_networks(self) -> list[tuple[str, nn.Parameter]]:
        """The parameters of student and teacher."""
        networks = (("student", self.distillation.student.model), ("teacher", self.teacher.model))
        return [(f"the {who}'s {name}", value) for who, net in networks for name, value in net.named_parameters()]


def where(error: BaseException, file: str | None = None) -> str:
    """In which line, of this file if it was there."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = [frame for frame in frames if frame.filename == file or not file][-1:] or frames[-1:]
    return f"{Path(frame[0].filename).name}, line {frame[0].lineno}"


def _works(pair: Pair, subject: Subject, data: DataInfo = DATA) -> str:
    try:
        trial = Trial(subject.spelled, pair, data)
    except ValueError as error:
        cause = error.__cause__ or error
        line = traceback.extract_tb(cause.__traceback__)[-1].line or ""
        if not line.startswith("raise "):
            raise Broken(f"a ValueError that is no refusal, in {where(cause)}: {error}") from error
        return f"refused. {error}"
    _finite(trial, batch() if data.strong_view else replace(batch(), strong=None))
    return ""


def _finite(trial: Trial, batch: Batch) -> None:
    losses = trial.losses(batch)
    trial.descend(losses)
    for phase, loss in losses.items():
        if not loss.isfinite():
            raise Broken(f"the loss is {loss.item()} ({phase})")
    _finite_gradients(trial)


def _finite_gradients(trial: Trial) -> None:
    for name, parameter in trial.distillation.named_parameters():
        if parameter.grad is not None and not parameter.grad.isfinite().all():
            raise Broken(f"the loss is finite, but the gradient of {name} is not")


def _shape(subject: Subject) -> str:
    trial, few = subject.trial(), batch(size=7)
    for loss in trial.charge(*trial.ask(few), few):
        if not isinstance(loss, Tensor) or loss.shape not in ((), (7,)) or not loss.is_floating_point():
            what = f"{tuple(loss.shape)} {loss.dtype}" if isinstance(loss, Tensor) else type(loss).__name__
            raise Broken(f"for 7 images it returns {what}; return (7,), a loss for each image, or (), one for all")
    return ""


def _small_batch(subject: Subject) -> str:
    _finite(subject.trial(), batch(size=2))
    return ""


def _gradients(subject: Subject) -> str:
    trial = subject.trial()
    touched, ours = set(), dict(trial.distillation.named_parameters())
    for _ in range(2):  # the second time with memories and running averages
        trial.descend(trial.losses(batch()))
    for name, parameter in trial.teacher.model.named_parameters():
        if parameter.grad is not None:
            raise Broken(f"the teacher's {name} gets a gradient; compute what concerns the teacher under torch.no_grad")
    touched = {name for name, parameter in ours.items() if parameter.grad is not None and parameter.grad.any()}
    if not touched:
        raise Broken("nothing gets a gradient: neither the student nor the method learns anything")
    missed = [name for name, p in trial.method.named_parameters() if p.requires_grad and p.grad is None]
    if missed:
        return f"{_some(missed)} of the method get none"
    return "" if any(name.startswith("student.") for name in touched) else "the method learns, but not the student"


def _own_parameters(subject: Subject) -> str:
    trial = subject.trial()
    others = {id(parameter): name for name, parameter in trial.named_networks()}
    for name, parameter in trial.method.named_parameters():
        if id(parameter) in others:
            raise Broken(
                f"{others[id(parameter)]} is registered as its own {name}, and would be trained and saved with it; "
                f"keep networks in a tuple, or a copy"
            )
    students = {id(p) for p in trial.distillation.student.parameters()}
    trained = [p for phase in trial.phases for group in phase.groups for p in group.parameters]
    left = [n for n, p in trial.method.named_parameters() if p.requires_grad and id(p) not in {id(q) for q in trained}]
    foreign = {id(p) for p in trained} - students - {id(p) for p in trial.method.parameters()}
    if foreign:
        raise Broken(f"{_some([others.get(key, 'something') for key in foreign])} would be trained, which is not its own")
    return f"{_some(left)} would be trained by no phase" if left else ""


def _bfloat16(subject: Subject) -> str:
    trial = subject.trial()
    with torch.autocast("cpu", torch.bfloat16):
        losses = trial.losses(batch())
    trial.descend(losses)
    for phase, loss in losses.items():
        if not loss.isfinite() or loss.dtype != torch.float32:
            raise Broken(f"the loss is {loss.item()} in {loss.dtype} ({phase})")
    _finite_gradients(trial)
    return ""


def _dead(subject: Subject) -> str:
    trial = subject.trial()
    student, teacher = trial.ask(batch())
    silent = replace(student, logits=0 * student.logits, tapped={k: 0 * v for k, v in student.tapped.items()})
    _finite_charges(trial, trial.charge(silent, teacher, batch()))
    return ""


def _finite_charges(trial: Trial, losses: Sequence[Tensor]) -> float:
    total = torch.stack([loss.mean() for loss in losses]).sum()
    if not total.isfinite():
        raise Broken(f"the loss is {total.item()}")
    trial.descend({"": total})
    _finite_gradients(trial)
    return total.item()


def _equal_networks(subject: Subject) -> str:
    usual = subject.trial()
    scale = _finite_charges(usual, usual.charge(*usual.ask(batch()), batch()))
    itself = Pair("a network from itself", subject.pair.teacher_kind, subject.pair.teacher_kind)
    trial = Trial(subject.spelled, itself, student=1000)
    with in_eval_mode(trial.distillation.student):
        loss = _finite_charges(trial, trial.charge(*trial.ask(batch()), batch()))
    return "" if abs(loss) <= _ROUNDING * abs(scale) else f"it costs {loss:.3g}, where another one costs {scale:.3g}"


def _state_dict(subject: Subject) -> str:
    trial, other = subject.trial(), subject.trial()
    _train(trial)
    try:
        other.distillation.load_state_dict(copy.deepcopy(trial.distillation.state_dict()))
    except RuntimeError as error:
        raise Broken(f"what it saves after some steps does not fit a new one: {' '.join(str(error).split())}") from error
    _same_losses(trial, other, "it costs something else once its state_dict is loaded: keep state in buffers")
    return ""


def _same_losses(one: Trial, other: Trial, sentence: str) -> None:
    left, right = (trial.losses(batch(99)) for trial in (one, other))
    for phase in left:
        if not torch.equal(left[phase], right[phase]):
            raise Broken(f"{sentence} ({phase}: {left[phase].item():.6g} before, {right[phase].item():.6g} after)")


def _deep_copy(subject: Subject) -> str:
    trial = subject.trial()
    _train(trial)
    twin = copy.deepcopy(trial)
    trial.distillation.zero_grad(set_to_none=True)
    twin.descend(twin.losses(batch(50)))
    reached = [name for name, p in trial.distillation.named_parameters() if p.grad is not None]
    if reached:
        raise Broken(f"the copy is not apart: its gradients reach the original's {_some(reached)}")
    _same_losses(trial, copy.deepcopy(trial), "a deep copy costs something else")
    return ""


def _train(trial: Trial, folder: Path | None = None, resumed: "Trial | None" = None) -> Lesson:
    """A few steps of each phase through the real loop's parts; in their middle another trial takes over, if given."""
    run = Run(folder or Path(), "check", {}, {})
    recipe = Recipe(epochs=1, batch_size=len(batch().labels), lr=0.01, clip_norm=1.0)
    lesson, taught, start = Lesson(trial.distillation, recipe, run), trial, 0
    for phase in trial.phases:
        for step in range(_STEPS):
            lesson.epoch, lesson.step = start, step
            if resumed and step == _STEPS // 2:
                run.folder.mkdir(exist_ok=True)
                lesson.save()
                taught = copy.deepcopy(resumed)
                lesson = Lesson(taught.distillation, recipe, run)
                lesson.resume()
            room = Classroom(taught.teacher, [lesson])
            room.to(torch.device("cpu"))
            lesson.begin()
            room.teach(replace(batch(start + step), epoch=start + step / _STEPS), [lesson])
        start += phase.epochs
    return lesson


def _resume(subject: Subject) -> str:
    whole, new = subject.trial(), subject.trial()
    before = fingerprint(whole.teacher.model)
    with tempfile.TemporaryDirectory() as folder:
        expected = _train(whole).distillation.state_dict()
        found = _train(subject.trial(), Path(folder), new).distillation.state_dict()
    if fingerprint(whole.teacher.model) != before:
        raise Broken("the teacher's weights or buffers are not what they were")
    for name, value in expected.items():
        if not torch.equal(value, found[name]):
            raise Broken(f"{name} is another one than without the interruption: keep state in buffers")
    return ""
