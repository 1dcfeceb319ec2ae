"""Laws about training: who learns, what is remembered, what is shipped."""

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import fingerprint
from ..modes import in_eval_mode
from .specimens import BATCH, CLASSES, batch
from .trial import Broken, Subject, Trial


def teaches_the_student_only(subject: Subject) -> str:
    trial = subject.trial()
    trial.teacher.requires_grad_()
    gradients = trial.gradients(trial.losses(subject.batch()))
    for name, parameter in trial.teacher.model.named_parameters():
        if parameter.grad is not None:
            raise Broken(f"the teacher's {name} gets a gradient; compute what is the teacher's under torch.no_grad()")
    reached = {name for name, gradient in gradients.items() if gradient.any()}
    if not reached:
        raise Broken("nobody learns from it: neither student nor method gets a gradient")
    own = {f"methods.{trial.name}.{name}" for name, p in trial.method.named_parameters() if p.requires_grad}
    if own - gradients.keys():
        return f"{_some(own - gradients.keys())} gets none"
    return "" if any(name.startswith("student.") for name in reached) else "the method learns, but not the student"


def owns_its_parameters(subject: Subject) -> str:
    trial = subject.trial()
    networks = (("student", trial.distillation.student.model), ("teacher", trial.teacher.model))
    foreign = {id(p): f"the {who}'s {name}" for who, net in networks for name, p in net.named_parameters()}
    for name, parameter in trial.method.named_parameters():
        if id(parameter) in foreign:
            raise Broken(
                f"its {name} is {foreign[id(parameter)]}, which would be saved and trained with it; keep networks in "
                f"a tuple, or copy them"
            )
    trained = {id(p) for phase in trial.phases for group in phase.groups for p in group.parameters}
    if any(id(parameter) in trained for parameter in trial.teacher.parameters()):
        raise Broken("its groups hold parameters of the teacher")
    left = [name for name, p in trial.method.named_parameters() if p.requires_grad and id(p) not in trained]
    return f"{_some(left)} is trained in no phase" if left else ""


def begins_the_same(subject: Subject) -> str:
    states = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            states.append(subject.trial().method.state_dict())
    different = _differences(*states)
    if different:
        raise Broken(f"{_some(different)} does not; make modules in build, where draws follow the run's seed")
    return ""


def keeps_its_state(subject: Subject) -> str:
    trial, other = subject.trained(), subject.trial()
    try:
        other.distillation.load_state_dict(copy.deepcopy(trial.distillation.state_dict()))
    except RuntimeError as error:
        raise Broken(f"after some steps it does not fit into a new one: {' '.join(str(error).split())}") from error
    _same_losses(trial, other)
    return ""


def can_be_copied(subject: Subject) -> str:
    trial = subject.trial()
    trial.losses(subject.batch(1))  # fills memories
    twin = copy.deepcopy(trial)
    twin.gradients(twin.losses(subject.batch()))
    reached = [name for name, p in trial.distillation.named_parameters() if p.grad is not None]
    if reached:
        raise Broken(f"the copy's gradients reach the original's {_some(reached)}")
    _same_losses(trial, copy.deepcopy(trial))
    return ""


def _same_losses(one: Trial, other: Trial) -> None:
    last = batch(99, strong_view=one.strong_view)
    left, right = one.losses(last), other.losses(last)
    for phase in left:
        if not torch.equal(left[phase], right[phase]):
            raise Broken(
                f"the same batch costs {left[phase].item():.6g} before and {right[phase].item():.6g} after ({phase}); "
                f"keep what a method remembers in buffers"
            )


def can_be_interrupted(subject: Subject) -> str:
    new, whole = subject.trial(), subject.trained()
    if fingerprint(whole.teacher.model) != fingerprint(new.teacher.model):
        raise Broken("the teacher's weights or buffers are not what they were")
    with tempfile.TemporaryDirectory() as folder:
        parts = subject.trial().train(Path(folder), relief=new)
    different = _differences(whole.distillation.state_dict(), parts.distillation.state_dict())
    if different:
        raise Broken(f"{_some(different)} comes out otherwise; keep what a method remembers in buffers")
    return ""


def takes_a_step_back(subject: Subject) -> str:
    marked = subject.trial().trial_step().train()
    different = _differences(subject.trained().distillation.state_dict(), marked.distillation.state_dict())
    if different:
        raise Broken(f"the step leaves its mark on {_some(different)}; keep what a method remembers in buffers")
    return ""


def ships_a_classifier(subject: Subject) -> str:
    model, images = subject.trained().distillation.deploy(), subject.batch().images
    with torch.no_grad(), in_eval_mode(model):
        logits = model(images)
    if not isinstance(logits, Tensor) or logits.shape != (BATCH, CLASSES):
        raise Broken(f"what deploy returns makes {tuple(logits.shape)} of {BATCH} images and {CLASSES} classes")
    return ""


def observes_numbers(subject: Subject) -> str:
    trial, one = subject.trained(), subject.batch()
    with torch.no_grad():
        by_image = trial.method.per_image(*trial.ask(one), one)
    shapes = ((trial.method.observations(), ()), (by_image, (BATCH,)))
    for name, value, shape in ((n, v, shape) for observed, shape in shapes for n, v in observed.items()):
        if value.shape != shape or not value.isfinite().all():
            raise Broken(f"{name} is {value.tolist()}, not {shape or 'a scalar'} and finite")
    return ""


def _differences(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [name for name in one | other if name not in one or name not in other or not one[name].equal(other[name])]


def _some(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return f"{first} (and {len(others)} more)" if others else first
