"""A student and the methods that train it, given a teacher's outputs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from .anatomy import Anatomy
from .batch import Batch, DataInfo, Preparing
from .forward import are_probabilities, wrap
from .method import Group, Method, Warmup
from .rng import seeded
from .taps import Outputs, Tapped, probe

TeacherMode = Literal["none", "eval", "batch_stats"]


@dataclass(frozen=True)
class Phase:
    """One part of a student's training: its epochs, the modules in train mode, what is optimised and the loss terms."""

    name: str
    epochs: int
    trains: Sequence[nn.Module]
    groups: Sequence[Group]
    terms: Callable[[Batch, Outputs | None], dict[str, Tensor]]
    lr: float | None = None  # None: the run's
    follows_schedule: bool = True  # otherwise the learning rate is constant
    tasks: frozenset[str] = frozenset()  # names of the terms that depend on labels alone
    trunk: Sequence[nn.Parameter] = ()  # of the student without its classifier, where the terms' gradients are compared


class Distillation(nn.Module):
    """One student and the methods that train it: a batch in, named loss terms out. Everything trainable is in here.

    The teacher is not part of it: the caller runs the teacher once per batch and passes its outputs.

        teacher = Tapped(trained_network)
        distillation = Distillation(network, teacher, [CE(), KD(), AT()], data.info)
        for epoch in range(epochs):
            distillation.begin_epoch(epoch)
            for batch in batches:
                with torch.no_grad():
                    outputs = teacher(batch.images)
                sum(distillation(batch, outputs).values()).backward()
                optimizer.step()
                distillation.after_step(batch)

    Args:
        student: The network to train.
        teacher: The trained network; taps are added at the methods' spots, nothing else changes. None for a student
            that learns by itself: its methods then receive the student's outputs as both arguments.
        methods: Their weighted losses are added up.
        data: The number of classes, image size and labels that methods may use.

    Raises:
        ValueError: If a method refuses this pair of networks; the message says why.
    """

    def __init__(
        self, student: nn.Module | Tapped, teacher: nn.Module | Tapped | None, methods: Sequence[Method], data: DataInfo
    ):
        super().__init__()
        self.student = tapped(student, data)
        self.has_teacher = teacher is not None
        teacher = self.student if teacher is None else tapped(teacher, data)
        self.methods = nn.ModuleDict(dict(zip(term_names(methods), methods, strict=True)))
        self.needs_strong_view = any(method.needs_strong_view for method in methods)

        for name, method in self.named_methods():
            with _Blaming(name):
                if method.needs_strong_view and not data.strong_view:
                    raise ValueError(
                        "it compares two views of each image, one of them strongly augmented, but the data give only "
                        "one; load the data with strong_view=True, or choose a method that takes one view"
                    )
                method.spots = method.choose_spots(self.student.anatomy, teacher.anatomy)
                self.student.tap(spot.student for spot in method.spots)
                teacher.tap(spot.teacher for spot in method.spots)
                if teacher.foreign_logits and method.needs_teacher_classes:
                    raise ValueError(
                        f"it reads the teacher's logits or classifier, but the teacher {teacher.foreign_logits}; "
                        f"choose methods that read features only, such as 'CE, AT', or train the teacher on these "
                        f"classes first: stillhouse train --weights ... --skip_head true"
                    )
        outputs = probe(self.student, data.image_size), probe(teacher, data.image_size)
        if outputs[0].logits.shape[1:] != (data.num_classes,):
            raise ValueError(
                f"the student must return one logit for each of the {data.num_classes} classes, but "
                f"{type(self.student.model).__name__} returns {outputs[0].logits.shape[1]}; build it with "
                f"num_classes={data.num_classes}"
            )
        if are_probabilities(outputs[0].logits):
            problem = "returns probabilities (each row sums to one), and losses are computed from logits"
            raise ValueError(wrap(type(self.student.model).__name__, problem, "(images).clamp(min=1e-9).log()"))
        self.warmups: list[tuple[str, Warmup]] = []
        for name, method in self.named_methods():
            with _Blaming(name), seeded(data.seed, f"init {name}"):
                method.build(*outputs, data)
                self.warmups += [(name, warmup) for warmup in method.warmups(self.student, teacher)]
        like = outputs[0].logits
        self.methods.to(like.device, like.dtype)
        parts = (part for part in self.methods.modules() if isinstance(part, Preparing))
        self._preparing = tuple(part for part in parts if type(part).before_step is not Preparing.before_step)
        self.deploy()  # refuses methods that cannot be combined, before an epoch is spent on them

    def named_methods(self) -> Iterator[tuple[str, Method]]:
        for name, method in self.methods.items():
            assert isinstance(method, Method)
            yield name, method

    @property
    def teacher_mode(self) -> TeacherMode:
        """Return the mode the teacher runs in: with "batch_stats" its BatchNorms use each batch's own statistics."""
        if not self.has_teacher:
            return "none"
        return "batch_stats" if any(m.teacher_statistics == "batch" for _, m in self.named_methods()) else "eval"

    @torch.no_grad()
    def begin_epoch(self, epoch: int) -> None:
        """Tell every method that an epoch of the current phase begins; call this only before the epoch's first step."""
        for _, method in self.named_methods():
            method.begin_epoch(epoch)

    @torch.no_grad()
    def before_step(self, batch: Batch) -> Batch:
        """Return the batch with everything that methods prepare for a step; otherwise they prepare it in the step."""
        return replace(batch, prepared={part: part.before_step(batch) for part in self._preparing})

    @torch.no_grad()
    def after_step(self, batch: Batch) -> None:
        """Tell every method that the optimiser has stepped."""
        for _, method in self.named_methods():
            method.after_step(batch)

    def forward(self, batch: Batch, teacher: Outputs | None) -> dict[str, Tensor]:
        """Return weighted scalar terms by method name; the loss is their sum."""
        if not self.needs_strong_view:  # BatchNorms must only learn from images that a loss uses
            batch = replace(batch, strong=None)
        student = self.student.forward_batch(batch)  # under the caller's autocast, if any
        return self.losses(student, student if teacher is None else teacher, batch)

    def losses(self, student: Outputs, teacher: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Return weighted scalar terms by method name, from outputs of both networks for a batch."""
        with torch.autocast(batch.images.device.type, enabled=False):
            return {
                name: method.weight * mean_loss(name, method(student, teacher, batch))
                for name, method in self.named_methods()
            }

    def phases(self, epochs: int) -> list[Phase]:
        """Return the methods' warm-ups, then distillation itself."""
        phases = []
        for name, warmup in self.warmups:
            parameters = [p for module in warmup.trains for p in module.parameters() if p.requires_grad]
            terms = _WarmupTerms(self, name, warmup)
            group, what = Group(parameters), f"{name} warm-up"
            phases.append(Phase(what, warmup.epochs, warmup.trains, [group], terms, warmup.lr, follows_schedule=False))
        student = Group([p for p in self.student.parameters() if p.requires_grad])
        groups = [group for _, method in self.named_methods() for group in method.groups() if group.parameters]
        tasks = frozenset(name for name, method in self.named_methods() if not method.needs_teacher)
        head = self.student.head.parameters() if self.student.anatomy.head else ()
        beside = {id(parameter) for parameter in head}
        compared = student.parameters if len(self.methods) > 1 else ()
        trunk = [parameter for parameter in compared if id(parameter) not in beside]
        phases.append(Phase("distillation", epochs, [self], [student, *groups], self, tasks=tasks, trunk=trunk))
        return phases

    def describe_spots(self) -> list[str]:
        """Return a line for each method that says which places it compares."""
        lines = []
        for name, method in self.named_methods():
            pairs = ", ".join(s if s == t else f"{s} with {t}" for s, t in method.spots) or "nothing"
            lines.append(f"{name} reads {pairs}" if method.needs_teacher else f"{name} uses labels")
        return lines

    def deploy(self) -> nn.Module:
        """Return the network to ship: the student and any layers that its methods add to it."""
        model = self.student.model
        for _, method in self.named_methods():
            model = method.deploy(model)
        return model


def tapped(network: nn.Module | Tapped, data: DataInfo) -> Tapped:
    """Return a network with taps; one that has none is looked into with images of this size."""
    return network if isinstance(network, Tapped) else Tapped(network, Anatomy.of(network, data.image_size))


def mean_loss(name: str, loss: Tensor) -> Tensor:
    """(N,) or () -> (); raise ValueError for anything else."""
    if not isinstance(loss, Tensor) or loss.ndim > 1:
        what = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ValueError(
            f"{name} must return a tensor of shape (N,), a loss for each image, or (), one for all, not {what}"
        )
    return loss.mean() if loss.ndim else loss


class _WarmupTerms:
    def __init__(self, distillation: Distillation, name: str, warmup: Warmup):
        self.distillation, self.name, self.warmup = distillation, name, warmup

    def __call__(self, batch: Batch, teacher: Outputs | None) -> dict[str, Tensor]:
        student = self.distillation.student.forward_batch(replace(batch, strong=None))
        teacher = student if teacher is None else teacher
        with torch.autocast(batch.images.device.type, enabled=False):
            return {self.name: mean_loss(self.name, self.warmup.loss(student, teacher, batch))}


class _Blaming:
    """Put a method's name in front of its refusal of a pair, unless the message begins with the name."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError) and not str(error).startswith(f"{self.name} "):
            raise ValueError(f"{self.name}: {error}") from error


def term_names(methods: Sequence[Method]) -> list[str]:
    """Return the class names, numbered where a class is repeated: CE, KD, AT, AT2."""
    names: list[str] = []
    for method in methods:
        name = type(method).__name__
        taken = sum(type(other).__name__ == name for other in methods[: len(names)])
        names.append(f"{name}{taken + 1}" if taken else name)
    return names
