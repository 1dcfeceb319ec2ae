"""Laws about the loss that a method returns."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy
import torch
from torch import Tensor

from ..modes import in_eval_mode
from .outputs import ROUNDING, close, laid_out, parts, squared_norm, with_parts
from .specimens import BATCH, Pair
from .trial import Broken, NotApplicable, Subject, Trial, total

_MOVE = 1e-6  # size of finite differences in float64, relative to the starting point


def has_the_right_shape(subject: Subject) -> str:
    trial, seven = subject.trial(), subject.batch(size=7)
    for loss in trial.unweighted(*trial.outputs(seven), seven):
        if loss.shape not in ((), (7,)) or not loss.is_floating_point():
            found = f"{tuple(loss.shape)} of {loss.dtype}"
            raise Broken(f"for 7 images it is {found}; return (7,), a loss for each image, or (), one for all")
    return ""


def does_not_modify_outputs(subject: Subject) -> str:
    trial, batch = subject.trial(), subject.batch()
    both = trial.outputs(batch)
    before = [part.detach().clone() for outputs in both for part in parts(outputs)]
    trial.unweighted(*both, batch)
    after = [part for outputs in both for part in parts(outputs)]
    if not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)):
        raise Broken("it changes them in place, and other methods read them too; work on a copy")
    return ""


def is_finite_for_zeros(subject: Subject) -> str:
    trial = subject.trial()
    student, teacher = trial.outputs(subject.batch())
    zeros = with_parts(student, (0 * part for part in parts(student)))
    trial.gradients({"all zeros": total(trial.unweighted(zeros, teacher, subject.batch()))})
    return ""


def is_zero_for_identical_networks(subject: Subject) -> str:
    trial = subject.trial()
    if not trial.method.needs_teacher:
        raise NotApplicable("it does not use the teacher")
    usual = total(trial.unweighted(*trial.outputs(subject.batch()), subject.batch())).item()
    kind = subject.pair.teacher_kind
    try:
        trial = Trial(subject.spec, Pair("itself", kind, kind), subject.data, student=Pair.TEACHER)
    except ValueError as error:
        raise NotApplicable(f"it refuses them: {error}") from error
    with in_eval_mode(trial.distillation.student):
        loss = total(trial.unweighted(*trial.outputs(subject.batch()), subject.batch()))
    trial.gradients({"identical networks": loss})
    return "" if abs(loss) <= ROUNDING * abs(usual) else f"got {loss:.3g} (another network: {usual:.3g})"


def agrees_with_its_gradient(subject: Subject) -> str:
    """Compare in float64 with finite differences along the gradient, with respect to all outputs of the student."""
    trial, batch = subject.trained(), subject.batch()  # some methods set themselves up in their first steps
    trial.teacher.double()
    trial.distillation.double()
    strong = None if batch.strong is None else batch.strong.double()
    batch = replace(batch, images=batch.images.double(), strong=strong)
    student, teacher = trial.outputs(batch)

    def loss_of(tensors: Sequence[Tensor]) -> Tensor:
        return total(trial.twin().unweighted(with_parts(student, tensors), teacher, batch))

    start = [part.detach().requires_grad_() for part in parts(student)]
    loss = loss_of(start)
    if not loss.requires_grad:
        return "the loss has no gradient"
    gradients = torch.autograd.grad(loss, start, allow_unused=True, materialize_grads=True)
    slope = squared_norm(gradients)
    if not slope:
        return "the student gets no gradient"
    move = _MOVE * (squared_norm(start) / slope).sqrt()
    with torch.no_grad():
        up, down = (loss_of([p + sign * move * g for p, g in zip(start, gradients, strict=True)]) for sign in (1, -1))
    found = (up - down) / (2 * move)
    if (found - slope).abs() <= 1e-3 * slope:
        return ""
    return f"along the gradient the loss rises by {(found / slope).item():.3g} times as much as the gradient says"


def ignores_order(subject: Subject) -> str:
    trial, batch = subject.trial(), subject.batch()
    student, teacher = trial.outputs(batch)
    shuffle = torch.tensor([3, 7, 0, 5, 1, 6, 2, 4])
    straight = trial.twin().unweighted(student, teacher, batch)
    shuffled = trial.twin().unweighted(student.rows(shuffle), teacher.rows(shuffle), batch.rows(shuffle))
    later = trial.twin().unweighted(student, teacher, replace(batch, step=batch.step + 1))
    for loss, other, next_step in zip(straight, shuffled, later, strict=True):
        if not close(loss[shuffle] if loss.ndim else loss, other):
            draws = "" if torch.equal(loss, next_step) else ", because random numbers are drawn for each place in it"
            return f"the loss depends on it{draws}"
    return ""


def ignores_memory_format(subject: Subject) -> str:
    trial, batch = subject.trial(), subject.batch()
    both = trial.outputs(batch)
    if not any(part.ndim == 4 for outputs in both for part in parts(outputs)):
        raise NotApplicable("it reads no feature maps")
    losses = []
    for layout in (torch.contiguous_format, torch.channels_last):
        student, teacher = (with_parts(one, (laid_out(part, layout) for part in parts(one))) for one in both)
        losses.append(trial.twin().unweighted(student, teacher, replace(batch, images=laid_out(batch.images, layout))))
    for loss, other in zip(*losses, strict=True):
        if not close(loss, other):
            pair = f"{loss.mean().item():.6g} for contiguous and {other.mean().item():.6g} for channels_last features"
            raise Broken(f"the loss is {pair}; use reshape or flatten instead of assuming a memory layout")
    return ""


def draws_from_the_batch(subject: Subject) -> str:
    trial, batch = subject.trial(), subject.batch()
    both = trial.outputs(batch)
    losses = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            before = _random_states()
            losses.append(trial.twin().unweighted(*both, batch))
            for whose, state in _random_states().items():
                if state != before[whose]:
                    raise Broken(
                        f"it uses {whose} generator (as does dropout), so other users of that generator change the "
                        f"loss; draw with generator=batch.generator('purpose')"
                    )
    if not all(torch.equal(loss, other) for loss, other in zip(*losses, strict=True)):
        raise Broken("two calls at the same step differ; draw with generator=batch.generator('purpose')")
    return ""


def knows_whether_it_needs_a_teacher(subject: Subject) -> str:
    trial, batch = subject.trial(), subject.batch()
    student, teacher = trial.outputs(batch)
    loss = trial.twin().unweighted(student, teacher, batch)
    changed = trial.twin().unweighted(student, teacher.rows(torch.arange(BATCH).roll(1)), batch)
    depends = any(not torch.equal(one, other) for one, other in zip(loss, changed, strict=True))
    if depends and not trial.method.needs_teacher:
        raise Broken("needs_teacher is False, but the loss depends on the teacher's outputs")
    if not depends and trial.method.needs_teacher:
        return "needs_teacher is True, but the loss does not depend on the teacher's outputs"
    return ""


def _random_states() -> dict[str, object]:
    kind, keys, *rest = numpy.random.get_state()
    return {
        "PyTorch's global": bytes(torch.get_rng_state().numpy()),
        "Python's global": random.getstate(),
        "NumPy's global": (kind, bytes(numpy.asarray(keys)), *rest),
    }
