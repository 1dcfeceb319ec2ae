"""Laws about what a method returns."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy
import torch
from torch import Tensor

from ..method import SpotMethod
from ..modes import in_eval_mode
from ..taps import Outputs
from .specimens import BATCH, Pair
from .trial import Broken, Subject, Trial, total

_ROUNDING = 5e-4  # of float32, relative to the largest number compared
_MOVE = 1e-6  # how far finite differences go in float64, relative to where they start


def is_by_sample_or_one(subject: Subject) -> str:
    trial, seven = subject.trial(), subject.batch(size=7)
    for loss in trial.charge(*trial.ask(seven), seven):
        if loss.shape not in ((), (7,)) or not loss.is_floating_point():
            what = f"{tuple(loss.shape)} of {loss.dtype}"
            raise Broken(f"for 7 images it returns {what}; return (7,), a loss for each image, or (), one for all")
    return ""


def leaves_what_it_reads(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    asked = trial.ask(one)
    before = [part.detach().clone() for outputs in asked for part in _parts(outputs)]
    trial.charge(*asked, one)
    after = [part for outputs in asked for part in _parts(outputs)]
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        raise Broken("it changes in place what the networks said, and other methods read that too; work on a copy")
    return ""


def survives_zeros(subject: Subject) -> str:
    trial = subject.trial()
    student, teacher = trial.ask(subject.batch())
    silent = _moved(student, (0 * part for part in _parts(student)))
    trial.gradients({"all zeros": total(trial.charge(silent, teacher, subject.batch()))})
    return ""


def is_zero_between_equals(subject: Subject) -> str:
    trial = subject.trial()
    usual = total(trial.charge(*trial.ask(subject.batch()), subject.batch())).item()
    kind = subject.pair.teacher_kind
    trial = Trial(subject.spec, Pair("itself", kind, kind), subject.data, student=Pair.TEACHER)
    with in_eval_mode(trial.distillation.student):
        loss = total(trial.charge(*trial.ask(subject.batch()), subject.batch()))
    trial.gradients({"a student equal to its teacher": loss})
    return "" if abs(loss) <= _ROUNDING * abs(usual) else f"it costs {loss:.3g}, and another one {usual:.3g}"


def follows_its_gradient(subject: Subject) -> str:
    """In float64, by finite differences along the gradient with respect to all that the student says."""
    trial, one = subject.trained(), subject.batch()  # some set themselves up in their first steps
    trial.teacher.double()
    trial.distillation.double()
    one = replace(one, images=one.images.double(), strong=None if one.strong is None else one.strong.double())
    student, teacher = trial.ask(one)

    def cost(parts: Sequence[Tensor]) -> Tensor:
        return total(trial.twin().charge(_moved(student, iter(parts)), teacher, one))

    start = [part.detach().requires_grad_() for part in _parts(student)]
    loss = cost(start)
    if not loss.requires_grad:
        return "it has no gradient"
    gradients = torch.autograd.grad(loss, start, allow_unused=True, materialize_grads=True)
    slope = _squared(gradients)
    if not slope:
        return "the student gets no gradient"
    move = _MOVE * (_squared(start) / slope).sqrt()
    with torch.no_grad():
        up, down = (cost([p + sign * move * g for p, g in zip(start, gradients, strict=True)]) for sign in (1, -1))
    found = (up - down) / (2 * move)
    if (found - slope).abs() <= 1e-3 * slope:
        return ""
    return f"along its gradient it rises by {(found / slope).item():.3g} of what the gradient says"


def ignores_order(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    student, teacher = trial.ask(one)
    shuffle = torch.tensor([3, 7, 0, 5, 1, 6, 2, 4])
    straight = trial.twin().charge(student, teacher, one)
    shuffled = trial.twin().charge(student.rows(shuffle), teacher.rows(shuffle), one.rows(shuffle))
    later = trial.twin().charge(student, teacher, replace(one, step=one.step + 1))
    for loss, other, next_step in zip(straight, shuffled, later, strict=True):
        if not _close(loss[shuffle] if loss.ndim else loss, other):
            draws = "" if torch.equal(loss, next_step) else ", as it draws random numbers for each place in it"
            return f"it depends on the order of the batch{draws}"
    return ""


def ignores_memory_format(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    asked = trial.ask(one)
    losses = []
    for layout in (torch.contiguous_format, torch.channels_last):
        student, teacher = (_moved(outputs, (_laid_out(part, layout) for part in _parts(outputs))) for outputs in asked)
        losses.append(trial.twin().charge(student, teacher, replace(one, images=_laid_out(one.images, layout))))
    for loss, other in zip(*losses, strict=True):
        if not _close(loss, other):
            pair = f"{loss.mean().item():.6g} for contiguous features and {other.mean().item():.6g} for channels_last"
            raise Broken(f"it costs {pair}; use reshape or flatten where it takes a storage for granted")
    return ""


def draws_from_the_batch(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    asked = trial.ask(one)
    losses = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = _random_states()
            losses.append(trial.twin().charge(*asked, one))
            for whose, state in _random_states().items():
                if state != before[whose]:
                    raise Broken(
                        f"it draws {whose} random numbers (dropout does, too), so that whoever else draws changes what "
                        f"it does; draw with generator=batch.generator('purpose')"
                    )
    if not all(torch.equal(loss, other) for loss, other in zip(*losses, strict=True)):
        raise Broken("two calls at the same step differ; draw with generator=batch.generator('purpose')")
    return ""


def knows_whether_it_needs_a_teacher(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    student, teacher = trial.ask(one)
    listened = trial.twin().charge(student, teacher, one)
    changed = trial.twin().charge(student, teacher.rows(torch.arange(BATCH).roll(1)), one)
    depends = any(not torch.equal(loss, other) for loss, other in zip(listened, changed, strict=True))
    if depends and not trial.method.needs_teacher:
        raise Broken("needs_teacher is False, but the loss changes with what the teacher says")
    return "" if depends == trial.method.needs_teacher else "the loss is the same whatever the teacher says"


def can_leave_samples_out(subject: Subject) -> str:
    trial, one = subject.trial(), subject.batch()
    if not isinstance(trial.method, SpotMethod):
        return ""
    student, teacher = trial.ask(one)
    keep = torch.tensor([0, 2, 3, 6])
    active = torch.zeros(BATCH).index_fill(0, keep, 1.0)
    trial.method.eval()  # BatchNorms of its own would see the others
    for spot in trial.method.spots:
        loss = trial.method.loss_at(spot, student, teacher, replace(one, active=active))
        if loss.ndim:
            continue
        alone = trial.method.loss_at(spot, student.rows(keep), teacher.rows(keep), one.rows(keep))
        if not _close(loss, alone):
            raise Broken(f"at {spot.student} it costs {loss:.6g} with the others off and {alone:.6g} without them")
        nobody = trial.method.loss_at(spot, student, teacher, replace(one, active=torch.zeros(BATCH)))
        trial.gradients({f"all samples off at {spot.student}": nobody})
    return ""


def _parts(outputs: Outputs) -> list[Tensor]:
    """All that a network said, of both views."""
    return [outputs.logits, *outputs.tapped.values(), *(_parts(outputs.strong) if outputs.strong else [])]


def _moved(outputs: Outputs, parts: Iterator[Tensor]) -> Outputs:
    """The same outputs with other parts, in the order of `_parts`."""
    logits, tapped = next(parts), {place: next(parts) for place in outputs.tapped}
    strong = _moved(outputs.strong, parts) if outputs.strong else None
    return replace(outputs, logits=logits, tapped=tapped, strong=strong)


def _laid_out(part: Tensor, layout: torch.memory_format) -> Tensor:
    return part.contiguous(memory_format=layout) if part.ndim == 4 else part


def _squared(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.detach().square().sum() for part in parts]).sum()


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).abs().max() <= _ROUNDING * one.abs().max())


def _random_states() -> dict[str, object]:
    kind, keys, *rest = numpy.random.get_state()
    return {
        "PyTorch's global": bytes(torch.get_rng_state().numpy()),
        "Python's global": random.getstate(),
        "NumPy's global": (kind, bytes(numpy.asarray(keys)), *rest),
    }
