import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse.distillation import Distillation
from stillhouse.method import Method, SpotMethod
from stillhouse.methods import AT, CC, CE, CRD, FT, KD, NST, PKT, RKD, SP, VID, FitNet
from stillhouse.models import zoo
from stillhouse.outputs import Batch, DataInfo, Outputs
from stillhouse.recipe import Optimizer, Recipe
from stillhouse.taps import Tapped
from stillhouse.wrappers import SpotAdaptive
from tests.golden.closed_form import fill, u

METHODS: dict[str, Callable[[float], SpotMethod]] = {
    "FitNet": FitNet,
    "AT": AT,
    "SP": SP,
    "CC": lambda beta: CC(beta, correlation="consecutive"),
    "VID": VID,
    "RKD": RKD,
    "PKT": PKT,
    "FT": lambda beta: FT(beta, compare="attention"),
    "NST": NST,
    "CRD": lambda beta: CRD(beta, num_negatives=12),
}
MODES = {"adaptive": "adaptive", "adaptive + prior 10": "adaptive", "reverse": "anti", "baseline": "always"}


@dataclass(frozen=True)
class Step:
    """What the authors' code did in one training step, in float64 on a CPU, given the policy's noise."""

    decisions: list[str] | None  # by sample
    scores: list[float] | None  # L2 norm and sum of what the policy says
    features: list[float]  # the method's terms at its spots, unweighted
    numbers: dict[str, float]
    logits: dict[str, float]  # their L2 norms
    after: dict[str, list[float]]  # L2 norm and sum; L2 norm of the change


@dataclass(frozen=True)
class Golden:
    """Two steps of one method between resnet20 and resnet8."""

    name: str
    method: str
    mode: str
    prior: float
    gamma: float
    beta: float
    lr: list[float]  # of the student, of policy and adapters
    noise: list[int]
    steps: list[Step]


def _read() -> Iterable[Golden]:
    for line in json.loads((Path(__file__).parents[1] / "golden/spot_adaptive.json").read_text()):
        yield Golden(**{**line, "steps": [Step(**step) for step in line["steps"]]})


GOLDEN = {golden.name: golden for golden in _read()}


@cache
def _network(name: str, offset: int) -> nn.Module:
    network = zoo(name, 100).double()
    fill(network.state_dict(), offset)
    return network


def _fill(parameters: Iterable[nn.Parameter], norms: set[int], offset: int) -> None:
    for k, parameter in enumerate(parameters):
        base = u(parameter.shape, 100 + k + offset)
        parameter.data.copy_(0.5 + 0.1 * base if id(parameter) in norms else 0.3 * base)


class Reproduction:
    """The authors' setting, built out of this package's parts."""

    def __init__(self, golden: Golden):
        self.golden = golden
        self.teacher = Tapped(copy.deepcopy(_network("resnet20", 0))).requires_grad_(False).eval()
        self.method = METHODS[golden.method](golden.beta)
        lr, agent_lr = golden.lr
        self.sakd = SpotAdaptive(
            [KD(1.0), self.method], mode=MODES[golden.mode], gamma=golden.gamma, agent_lr=agent_lr / lr, prior=0.0
        )
        data = DataInfo(100, 32, torch.arange(64) % 100, batch_size=8)
        self.distillation = Distillation(
            copy.deepcopy(_network("resnet8", 200)), self.teacher, [CE(), self.sakd], data
        ).train()
        norms = {id(m.weight) for m in self.sakd.modules() if isinstance(m, nn.BatchNorm2d)}
        learned = list(self.method.parameters())
        if isinstance(self.method, FT):
            learned = [
                *self.method.translators.parameters(),
                *self.method.encoders.parameters(),
                *self.method.decoders.parameters(),
            ]
        _fill(learned, norms, 700)
        if self.sakd.is_routed:
            _fill(self.sakd.routes.parameters(), norms, 500)
            _fill(self.sakd.policy.parameters(), norms, 600)
            self.sakd.policy.linear.bias.data[::2] += golden.prior
        if isinstance(self.method, CRD):
            self._remember(self.method)
        self.optimizer = Optimizer(self.distillation.phases(1)[-1], Recipe(lr=lr, milestones=()))
        self.seen: dict[str, Tensor] = {}
        self.features: list[float] = []
        self._listen()

    def _remember(self, method: CRD) -> None:
        for seed, memory in ((890, method.student_memory), (891, method.teacher_memory)):
            memory.bank.copy_(u((64, 128), seed) / sqrt(128 / 3))

        def candidates(batch: Batch) -> Tensor:
            b, j = torch.arange(8)[:, None], torch.arange(1, 13)
            others = (batch.indices[:, None] + 1 + (7 * j + 3 * b + batch.step) % 63) % 64
            return torch.cat([batch.indices[:, None], others], dim=1)

        method.candidates = candidates  # type: ignore[method-assign]

    def _listen(self) -> None:
        loss_at = self.method.loss_at

        def heard(spot, student, teacher, batch):  # type: ignore[no-untyped-def]
            loss = loss_at(spot, student, teacher, batch)
            self.features.append((loss if batch.on is None else loss * batch.on).mean().item())
            return loss

        self.method.loss_at = heard  # type: ignore[method-assign]
        distil = self.sakd.distil

        def distilled(student: Outputs, teacher: Outputs, on: Tensor, batch: Batch) -> dict[str, Tensor]:
            losses = distil(student, teacher, on, batch)
            self.seen |= {"student": student.logits, "teacher": teacher.logits, **losses}
            return losses

        self.sakd.distil = distilled  # type: ignore[method-assign]
        if self.sakd.is_routed:
            policy = self.sakd.policy
            policy.noise = lambda scores, batch: _noise(scores, self.golden.noise[batch.step])  # type: ignore
            policy.linear.register_forward_hook(lambda module, args, scores: self.seen.update(scores=scores))
            policy.register_forward_hook(lambda module, args, decided: self.seen.update(gates=decided[0]))
            self.sakd.routes.register_forward_hook(lambda module, args, routed: self.seen.update(routed=routed))

    def step(self, t: int) -> None:
        b = torch.arange(8)
        batch = Batch(
            u((8, 3, 32, 32), 11 + t), (13 * b + 29 * t + 5) % 100, 11 * (b + 2 * t) % 64, epoch=t / 2, step=t
        )
        self.features.clear()
        terms = self.distillation(batch, self.teacher(batch.images))
        self.seen |= terms
        self.optimizer.step(terms)
        for _, method in self.distillation.named_methods():
            method.after_step(batch)

    def groups(self) -> dict[str, list[Tensor]]:
        learned = list(self.method.translators.parameters() if isinstance(self.method, FT) else self.method.parameters())
        groups = {
            "student_params": list(self.distillation.student.parameters()),
            "student_running_stats": _running(self.distillation.student),
            "loss_modules": learned,
            "loss_module_running_stats": _running(self.method),
        }
        if self.sakd.is_routed:
            groups["policy"] = list(self.sakd.policy.parameters())
            groups["adapters"] = list(self.sakd.routes.parameters())
            groups["adapter_running_stats"] = _running(self.sakd.routes)
        if isinstance(self.method, CRD):
            groups |= {"memory_v1": [self.method.student_memory.bank], "memory_v2": [self.method.teacher_memory.bank]}
        return {name: [tensor.detach() for tensor in tensors] for name, tensors in groups.items()}


def _noise(scores: Tensor, seed: int) -> Tensor:
    uniform = ((u(scores.shape, seed) + 1) / 2).clamp(1e-6, 1 - 1e-6)
    return -(-uniform.log()).log()


def _running(module: nn.Module) -> list[Tensor]:
    return [b for name, b in module.named_buffers() if name.endswith(("running_mean", "running_var"))]


def _l2(tensors: Iterable[Tensor]) -> float:
    return sqrt(sum(tensor.square().sum().item() for tensor in tensors))


def near(actual: float, golden: float, scale: float | None = None) -> bool:
    return abs(actual - golden) <= 1e-8 * max(1e-3, abs(golden) if scale is None else scale)


@pytest.mark.parametrize("name", GOLDEN)
def test_steps_come_out_as_in_the_published_code(name: str) -> None:
    golden = GOLDEN[name]
    run = Reproduction(golden)
    for t, step in enumerate(golden.steps):
        before = {group: [x.clone() for x in tensors] for group, tensors in run.groups().items()}
        run.step(t)
        seen = run.seen

        if step.decisions is not None and step.scores is not None:
            gates = seen["gates"]
            assert ["".join("1" if gate else "0" for gate in row) for row in gates.tolist()] == step.decisions
            assert set(gates.unique().tolist()) <= {0.0, 1.0}
            assert near(_l2([seen["scores"]]), step.scores[0])
            assert near(seen["scores"].sum().item(), step.scores[1], step.scores[0])
            agent = (seen["SpotAdaptive"] - seen["KD"] - seen[golden.method]).item()
            assert near(agent, step.numbers["L_agent"])
        assert len(run.features) == len(step.features)
        for actual, expected in zip(run.features, step.features, strict=True):
            assert abs(actual - expected) <= 1e-8 * abs(expected)
        assert near(seen["KD"].item(), step.numbers["L_div"])
        assert near(seen[golden.method].item() / golden.beta, step.numbers["L_feat"])
        assert near(seen["CE"].item(), step.numbers["C"])
        assert near((seen["CE"] + seen["KD"] + seen[golden.method]).item(), step.numbers["L_total"])
        for net, norm in step.logits.items():
            assert near(_l2([seen[net]]), norm)

        for group, tensors in run.groups().items():
            if group not in step.after:
                assert not tensors
                continue
            norm, total, *change = step.after[group]
            assert near(_l2(tensors), norm), group
            assert near(sum(x.sum().item() for x in tensors), total, norm), group
            if change:
                moved = _l2(x - y for x, y in zip(tensors, before[group], strict=True))
                assert abs(moved - change[0]) <= 1e-8 * abs(change[0]), group
    if run.sakd.is_routed:
        assert near(run.sakd.means.read()["routed_loss"].item(), _mean(step.numbers["R"] for step in golden.steps))


def _mean(numbers: Iterable[float]) -> float:
    numbers = list(numbers)
    return sum(numbers) / len(numbers)
