"""Routes: each sample's path through blocks of two networks, with a choice between them at every junction."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...batch import Batch
from ...method import Spot
from ...models.pieces import cut, frozen
from ...taps import Outputs
from .adapters import adapter

LOGITS = Spot("logits", "logits")


class Routes(nn.Module):
    """Each sample's path through the blocks of both networks, which learn nothing from it.

    Args:
        places: Places where a route may switch between the networks; the last are the logits.
        fresh: Run the teacher's first block again instead of reusing its outputs.
    """

    def __init__(self, student: Outputs, teacher: Outputs, places: Sequence[Spot], image_size: int, fresh: bool):
        super().__init__()
        for who, outputs in (("student", student), ("teacher", teacher)):
            dtype = next(outputs.net.parameters()).dtype
            if dtype not in (torch.float32, torch.float64):
                raise ValueError(
                    f"routes must run through networks with float32 weights, but the {who}'s are {dtype}; call "
                    f".float() on it, and use --precision or --teacher_precision to compute in bfloat16"
                )
        *junctions, _ = places
        self.first = None if fresh else places[0]
        features = [(student[spot.student], teacher[spot.teacher]) for spot in junctions]
        self.junctions = nn.ModuleList(Junction(s.shape, t.shape) for s, t in features)
        self.pieces = (  # a tuple, so that the networks are not registered as submodules
            cut(student.net, [spot.student for spot in junctions], image_size),
            cut(teacher.net, [spot.teacher for spot in junctions], image_size),
        )
        same_shapes = all(s.shape == t.shape for s, t in [*features, (student["embedding"], teacher["embedding"])])
        self.homogeneous = same_shapes and type(student.net.model) is type(teacher.net.model)
        self.usual_prior = 10.0 if self.homogeneous and not fresh else 0.0  # of a policy for these routes

    def forward(self, student: Outputs, teacher: Outputs, gates: Tensor, batch: Batch) -> Tensor:
        """-> (N, C), the logits at the end of the routes"""
        s_pieces, t_pieces = self.pieces
        with frozen(*s_pieces, *t_pieces), precision_of(student):
            with torch.no_grad():  # nothing is trained before the first junction
                s = s_pieces[0](batch.images)
                t = teacher[self.first.teacher] if self.first else t_pieces[0](batch.images)
            *inner, last = gates.T
            for junction, gate, s_piece, t_piece in zip(self.junctions, inner, s_pieces[1:], t_pieces[1:], strict=True):
                s, t = junction(s, t, gate)
                s, t = s_piece(s), t_piece(t)
            return _blend(s.to(student.logits), t.to(student.logits), last)


class Junction(nn.Module):
    """A place where a route may switch: each network continues with its own features or the other's, adapted."""

    def __init__(self, student: Sequence[int], teacher: Sequence[int]):
        super().__init__()
        self.to_teacher = adapter(student, teacher)
        self.to_student = adapter(teacher, student)

    def forward(self, student: Tensor, teacher: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        return _blend(student, self.to_student(teacher), gate), _blend(self.to_teacher(student), teacher, gate)


def _blend(off: Tensor, on: Tensor, gate: Tensor) -> Tensor:
    """(N, ...), (N, ...), (N,) -> (N, ...)"""
    return torch.lerp(off, on.to(off), gate.to(off).reshape(-1, *[1] * (off.ndim - 1)))


def line_up(spots: Sequence[Spot], student: Outputs, teacher: Outputs) -> tuple[list[Spot], dict[Spot, int]]:
    """Return each place once, in the order in which both networks run them, logits last, and the place of each spot.

    A spot that is compared with logits belongs to the place of the logits, wherever it is read.
    """
    s_order, t_order = _order(student), _order(teacher)
    end = (s_order["logits"], t_order["logits"])
    where = {spot: end if "logits" in spot else (s_order[spot.student], t_order[spot.teacher]) for spot in spots}
    where[LOGITS] = end
    in_order = sorted(where, key=where.__getitem__)
    places = list(dict.fromkeys(where[spot] for spot in in_order))
    if any(before[1] > after[1] for before, after in pairwise(places)):
        names = ", ".join(f"{spot.student} with {spot.teacher}" for spot in in_order)
        raise ValueError(
            f"its spots must come in one order in both networks, but they cross ({names}); name other places with at"
        )
    first = {where[spot]: spot for spot in reversed(in_order)} | {end: LOGITS}
    return [first[place] for place in places], {spot: places.index(where[spot]) for spot in in_order}


def with_a_net_that_learns(outputs: Outputs) -> Outputs:
    """Return the same outputs with a copy of their network, which is trained from now on."""
    net = copy.deepcopy(outputs.net).requires_grad_()
    net.precision = None
    return replace(outputs, net=net)


def place_names(places: Sequence[Spot]) -> list[str]:
    """Return the student's names of places, followed by the teacher's where a student's name occurs twice."""
    students = [place.student for place in places]
    return [s if students.count(s) == 1 else f"{s}_{t}" for s, t in places]


def scores(routed: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return the cross-entropy of routes and their accuracy in percent, from their logits (N, C)."""
    right = (routed.argmax(1) == labels).float().mean()
    return {"routed_loss": F.cross_entropy(routed, labels), "routed_top1": 100 * right}


def _order(outputs: Outputs) -> dict[str, int]:
    """Return each place's rank in the order of running; two names of one place have the same rank."""
    paths = {name: outputs.net.anatomy.resolve(name) for name in [*outputs.tapped, "logits"]}
    return {name: list(paths.values()).index(path) for name, path in paths.items()}


def precision_of(outputs: Outputs) -> torch.autocast:
    return torch.autocast(outputs.logits.device.type, outputs.precision, enabled=outputs.precision is not None)
