"""Laws about training: gradients, parameters, state, and the network that is deployed."""

import copy
import tempfile
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from ..checkpoints import fingerprint
from ..modes import in_eval_mode
from .specimens import BATCH, CLASSES, batch
from .trial import Broken, NotApplicable, Subject, Trial


def gradients_reach_only_the_student(subject: Subject) -> str:
    trial = subject.trial()
    trial.teacher.requires_grad_()
    gradients = trial.gradients(trial.losses(subject.batch()))
    for name, parameter in trial.teacher.model.named_parameters():
        if parameter.grad is not None:
            raise Broken(f"the teacher's {name} gets a gradient; compute on the teacher under torch.no_grad()")
    reached = {name for name, gradient in gradients.items() if gradient.any()}
    if not reached:
        raise Broken("nothing learns from it: neither the student nor the method gets a gradient")
    own = {f"methods.{trial.name}.{name}" for name, p in trial.method.named_parameters() if p.requires_grad}
    if own - gradients.keys():
        return f"{_some(own - gradients.keys())} gets no gradient"
    return (
        ""
        if any(name.startswith("student.") for name in reached)
        else "the method gets gradients, but the student does not"
    )


def owns_its_parameters(subject: Subject) -> str:
    trial = subject.trial()
    if not list(trial.method.parameters()) and not any(group.parameters for group in trial.method.groups()):
        raise NotApplicable("it has no parameters")
    networks = (("student", trial.distillation.student.model), ("teacher", trial.teacher.model))
    foreign = {id(p): f"the {who}'s {name}" for who, net in networks for name, p in net.named_parameters()}
    for name, parameter in trial.method.named_parameters():
        if id(parameter) in foreign:
            raise Broken(
                f"its {name} is {foreign[id(parameter)]}, and would be saved and trained with the method; keep "
                f"networks in a tuple, or copy them"
            )
    trained = {id(p) for phase in trial.phases for group in phase.groups for p in group.parameters}
    if any(id(parameter) in trained for parameter in trial.teacher.parameters()):
        raise Broken("its groups contain parameters of the teacher")
    left = [name for name, p in trial.method.named_parameters() if p.requires_grad and id(p) not in trained]
    return f"{_some(left)} is not trained in any phase" if left else ""


def starts_the_same(subject: Subject) -> str:
    if not subject.trial().method.state_dict():
        raise NotApplicable("it has no parameters or buffers")
    states = []
    with torch.random.fork_rng():
        for seed in (1, 2):
            torch.manual_seed(seed)
            states.append(subject.trial().method.state_dict())
    different = _differences(*states)
    if different:
        raise Broken(f"{_some(different)} does not; create modules in build, where the run's seed is set")
    return ""


def keeps_its_state(subject: Subject) -> str:
    trial, other = subject.trained(), subject.trial()
    try:
        other.distillation.load_state_dict(copy.deepcopy(trial.distillation.state_dict()))
    except RuntimeError as error:
        raise Broken(
            f"after some steps it does not load into a new instance: {' '.join(str(error).split())}"
        ) from error
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
            numbers = f"{left[phase].item():.6g} before and {right[phase].item():.6g} after"
            raise Broken(f"the loss of one batch is {numbers} ({phase}); keep all state in buffers")


def can_be_interrupted(subject: Subject) -> str:
    new, whole = subject.trial(), subject.trained()
    if fingerprint(whole.teacher.model) != fingerprint(new.teacher.model):
        raise Broken("the teacher's weights or buffers have changed")
    with tempfile.TemporaryDirectory() as folder:
        parts = subject.trial().train(Path(folder), successor=new)
    different = _differences(whole.distillation.state_dict(), parts.distillation.state_dict())
    if different:
        raise Broken(f"{_some(different)} differs at the end; keep all state in buffers")
    return ""


def can_undo_a_step(subject: Subject) -> str:
    marked = subject.trial().trial_step().train()
    different = _differences(subject.trained().distillation.state_dict(), marked.distillation.state_dict())
    if different:
        raise Broken(f"{_some(different)} differs after it; keep all state in buffers")
    return ""


def is_measured_without_a_trace(subject: Subject) -> str:
    watched = subject.trial().train(watched=True)
    different = _differences(subject.trained().distillation.state_dict(), watched.distillation.state_dict())
    if different:
        raise Broken(f"{_some(different)} differs after it; let the backward pass change nothing but gradients")
    return ""


def deploys_a_classifier(subject: Subject) -> str:
    model, images = subject.trained().distillation.deploy(), subject.batch().images
    with torch.no_grad(), in_eval_mode(model):
        logits = model(images)
    if not isinstance(logits, Tensor) or logits.shape != (BATCH, CLASSES):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise Broken(f"the network returns {shape} for {BATCH} images and {CLASSES} classes")
    return ""


def observes_numbers(subject: Subject) -> str:
    trial, batch = subject.trained(), subject.batch()
    with torch.no_grad():
        by_image = trial.method.per_image(*trial.outputs(batch), batch)
    shapes = ((trial.method.observations(), ()), (by_image, (BATCH,)))
    if not any(observed for observed, _ in shapes):
        raise NotApplicable("it observes nothing")
    for name, value, shape in ((n, v, shape) for observed, shape in shapes for n, v in observed.items()):
        if value.shape != shape or not value.isfinite().all():
            raise Broken(f"{name} must be finite and {shape or 'a scalar'}, not {value.tolist()}")
    return ""


def _differences(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [name for name in one | other if name not in one or name not in other or not one[name].equal(other[name])]


def _some(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return f"{first} (and {len(others)} more)" if others else first
