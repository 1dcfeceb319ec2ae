"""Repeats training steps of published code; `trajectories.json` holds what came out of them, in float64 on CPU.

Inputs, weights and auxiliary parameters are given by formulas, so the record consists of sums and norms only. Its
state entries are [L2 norm, sum] of all tensors of a group, the others single numbers; loss terms are weighted.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod, sqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer

from .closed_form import fill, u

Record = Mapping[str, list[float]]

CLASSES, BATCH, SAMPLES = 100, 8, 40


@dataclass(frozen=True)
class Case:
    """A few recorded steps of one method in one code base. `name` is "source method teacher->student"."""

    name: str
    lr: float
    nesterov: bool
    clip_norm: float
    epoch: float
    tolerance: float
    labels: list[list[int]]  # one list a step
    auxiliaries: list[tuple[str, list[int], str]]  # name, shape and filling rule of each, in definition order
    init: Record
    steps: list[Record]
    logits: list[float]  # of the first evaluation image, the first five
    logits_l2: float  # of all four images


CASES = {line["name"]: Case(**line) for line in json.loads(Path(__file__).with_name("trajectories.json").read_text())}


@dataclass(frozen=True)
class Row:
    """How this package says what a recorded case did.

    Args:
        methods: Makes them, with the code's weights and choices. CE is recorded as "ce", KD as "kl", the rest,
            together, as "method".
        auxiliaries: The methods' parameters in the order of the record; as they are registered when left out.
        prepare: Called before the first step, e.g. to fill a memory or to settle what is drawn at random.
        banks: What the record calls so, by its names there.
        read_twice: BatchNorms of both networks that the code calls a second time to read a pre-activation, so that
            their running statistics move twice a step: a slip that this package does not share.
        tolerance: In place of the case's, where the code itself rounds more coarsely than that.
    """

    methods: Callable[[], Sequence[Method]]
    auxiliaries: Callable[[Distillation], Iterable[nn.Parameter]] | None = None
    prepare: Callable[[Distillation], None] | None = None
    banks: Callable[[Distillation], Mapping[str, Tensor]] | None = None
    read_twice: Sequence[str] = ()
    tolerance: float | None = None


def deviations(case: Case, row: Row) -> list[str]:
    """Repeats a case and says, number by number, what came out differently."""
    teacher, student = (_network(name, offset) for name, offset in zip(_pair(case), (500, 0), strict=True))
    teacher = Tapped(copy.deepcopy(teacher)).requires_grad_(False)
    labels = torch.arange(SAMPLES) % CLASSES
    distillation = Distillation(
        copy.deepcopy(student), teacher, row.methods(), DataInfo(CLASSES, 32, labels, batch_size=BATCH)
    )
    groups = _fill_auxiliaries(distillation, case, row)
    if row.prepare:
        row.prepare(distillation)

    # A whole phase of warm-up is recorded on its own; the methods' learning rates there are not those of the record.
    phases = distillation.phases(1)
    phase = replace(phases[0] if "_init" in case.name else phases[-1], lr=None)
    optimizer = Optimizer(
        phase, TrainConfig(lr=case.lr, milestones=(), nesterov=case.nesterov, clip_norm=case.clip_norm)
    )
    distillation.eval()
    for module in phase.trains:
        module.train()
    teacher.train(distillation.teacher_mode == "batch_stats")
    for path in row.read_twice:
        for net in (distillation.student, teacher):
            net.model.get_submodule(path).register_forward_hook(_update_again)

    compare = _Comparison(row.tolerance or case.tolerance)
    compare("init", case.init, _state(distillation, teacher, groups, row))
    for step, expected in enumerate(case.steps):
        batch = _batch(case, step)
        with torch.no_grad():
            outputs = teacher(batch.images)
        terms = phase.terms(batch, outputs)
        optimizer.step(terms)  # and as there, gradients of what is not optimised add up over the steps
        losses = _losses(terms)
        gradients = _gradients(distillation, groups)
        distillation.after_step(batch)
        compare(f"step {step}", expected, {**losses, **gradients, **_state(distillation, teacher, groups, row)})

    distillation.eval()
    with torch.no_grad():
        logits = distillation.student.model(u((4, 3, 32, 32), 3000))
    compare(
        "evaluation", {"logits": [case.logits_l2, *case.logits]}, {"logits": [_l2([logits]), *logits[0, :5].tolist()]}
    )
    return compare.found


def _pair(case: Case) -> list[str]:
    pair = case.name.rpartition(" ")[2]
    return [name.replace("-", "_") for name in pair.split("->")]  # the fifth source writes wrn-16-1


@cache
def _network(name: str, offset: int) -> nn.Module:
    with torch.device("meta"):  # its own initialisation would take longer than a step
        network = zoo(name, CLASSES).double()
    network.to_empty(device="cpu")
    for path, buffer in network.named_buffers():
        if path.endswith("num_batches_tracked"):
            buffer.zero_()
    fill(network.state_dict(), offset)
    return network


def _batch(case: Case, step: int) -> Batch:
    indices = (11 * step + 3 * torch.arange(BATCH)) % SAMPLES
    labels = torch.tensor(case.labels[step])
    epochs_done = max(0.0, case.epoch - 1)  # recorded epochs count from 1
    return Batch(u((BATCH, 3, 32, 32), 2000 + step), labels, indices, epoch=epochs_done, step=step)


def _fill_auxiliaries(distillation: Distillation, case: Case, row: Row) -> dict[str, list[nn.Parameter]]:
    """Gives the methods' parameters the values of the record; returns them by the record's module names."""
    ours = list(row.auxiliaries(distillation) if row.auxiliaries else distillation.methods.parameters())
    shapes = [list(parameter.shape) for parameter in ours]
    theirs = [shape for _, shape, _ in case.auxiliaries]
    assert [prod(shape) for shape in shapes] == [prod(shape) for shape in theirs], (
        f"{shapes}, but recorded are {theirs}"
    )
    groups: dict[str, list[nn.Parameter]] = {}
    for k, (parameter, (name, shape, rule)) in enumerate(zip(ours, case.auxiliaries, strict=True)):
        base = u(parameter.shape, 100 + k)
        scale = sqrt(3 / prod(shape[1:])) if "fan_in" in rule else 0.3
        parameter.data.copy_(0.5 + 0.1 * base if rule.startswith("0.5") else scale * base)
        groups.setdefault(name.partition(".")[0], []).append(parameter)
    return groups


@torch.no_grad()
def _update_again(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
    assert isinstance(module, nn.BatchNorm2d)
    if module.training:
        F.batch_norm(args[0], module.running_mean, module.running_var, training=True)


def _state(
    distillation: Distillation, teacher: Tapped, groups: Mapping[str, list[nn.Parameter]], row: Row
) -> dict[str, list[float]]:
    student = distillation.student
    state = {
        "student_params": _summary(student.parameters()),
        "student_running_mean": _summary(_buffers(student, "running_mean")),
        "student_running_var": _summary(_buffers(student, "running_var")),
        "teacher_params": _summary(teacher.parameters()),
        "teacher_running": _summary(_buffers(teacher, "running_mean", "running_var")),
    }
    norms = [module for module in distillation.methods.modules() if isinstance(module, nn.BatchNorm2d)]
    for name, parameters in groups.items():
        state[f"aux_params {name}"] = _summary(parameters)
        members = {id(parameter) for parameter in parameters}
        running = [buffer for norm in norms if id(norm.weight) in members for buffer in _buffers(norm, "running")]
        state[f"aux_running {name}"] = _summary(running)
    for name, bank in (row.banks(distillation) if row.banks else {}).items():
        state[f"banks {name}"] = _summary([bank]) if bank.ndim else [bank.item()]
    return state


def _losses(terms: Mapping[str, Tensor]) -> dict[str, list[float]]:
    losses = {"loss total": [sum(term.item() for term in terms.values())]}
    for name, term in terms.items():
        recorded = f"loss { {'CE': 'ce', 'KD': 'kl'}.get(name, 'method') }"
        losses[recorded] = [losses.get(recorded, [0.0])[0] + term.item()]
    return losses


def _gradients(distillation: Distillation, groups: Mapping[str, list[nn.Parameter]]) -> dict[str, list[float]]:
    everyone = {"student": list(distillation.student.parameters()), **groups}
    return {f"grad {name}": [_l2(p.grad for p in group if p.grad is not None)] for name, group in everyone.items()}


def _buffers(module: nn.Module, *names: str) -> list[Tensor]:
    return [buffer for path, buffer in module.named_buffers() if path.rpartition(".")[2].startswith(names)]


def _summary(tensors: Iterable[Tensor]) -> list[float]:
    tensors = [tensor.detach() for tensor in tensors]
    return [_l2(tensors), float(sum(tensor.sum().item() for tensor in tensors))]


def _l2(tensors: Iterable[Tensor]) -> float:
    return sqrt(sum(torch.linalg.vector_norm(tensor).item() ** 2 for tensor in tensors))


class _Comparison:
    """Collects what differs by more than the tolerance."""

    def __init__(self, tolerance: float):
        self.tolerance = tolerance
        self.found: list[str] = []

    def __call__(self, when: str, expected: Record, actual: Record) -> None:
        for name, numbers in expected.items():
            if name not in actual:
                self.found.append(f"{when}: {name} is recorded, but not known here")
                continue
            scale = abs(numbers[0])  # an L2 norm where there are several: sums and single logits may cancel
            for i, (e, a) in enumerate(zip(numbers, actual[name], strict=True)):
                if not abs(a - e) <= self.tolerance * scale:
                    difference = abs(a - e) / scale if scale else abs(a - e)
                    self.found.append(f"{when}: {name}[{i}] is {a!r} instead of {e!r}, off by {difference:.1e}")
