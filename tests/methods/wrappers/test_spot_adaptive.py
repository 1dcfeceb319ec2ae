import copy
import json
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import FeatureMethod, Method, Spot, SpotMethod
from stillhouse.methods import AT, CC, CE, CRD, DIST, FT, KD, NST, PKT, RKD, SP, VID, FitNet
from stillhouse.methods.layers.routes import Junction
from stillhouse.methods.wrappers import SpotAdaptive
from stillhouse.models import zoo
from stillhouse.modes import in_eval_mode
from stillhouse.rng import seeded
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer
from tests.golden.closed_form import fill, u
from tests.helpers.contract import ORDER, TRANSFORMERS, ZERO_LOSS

REFUSES = TRANSFORMERS
NOTES = {ORDER, ZERO_LOSS}

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
Active = Mapping[Spot, Tensor | bool]
Mode = Literal["adaptive", "anti", "random", "always", "never", "joint"]
MODES: dict[str, Mode] = {"adaptive": "adaptive", "reverse": "anti", "baseline": "always"}


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
    for line in json.loads((Path(__file__).parents[2] / "golden/spot_adaptive.json").read_text()):
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
        if isinstance(self.method, CC):
            self.method.teacher_connectors.requires_grad_(False)  # this code, unlike others, detaches what they return
        if isinstance(self.method, CRD):
            self._remember(self.method)
        self.optimizer = Optimizer(self.distillation.phases(1)[-1], TrainConfig(lr=lr, milestones=()))
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

        method.candidates = candidates  # type: ignore[method-assign] # a stand-in for the test

    def _listen(self) -> None:
        loss_at = self.method.loss_at

        def heard(spot, student, teacher, batch):  # type: ignore[no-untyped-def] # as its caller has them
            loss = loss_at(spot, student, teacher, batch)
            self.features.append((loss if batch.active is None else loss * batch.active).mean().item())
            return loss

        self.method.loss_at = heard  # type: ignore[method-assign] # a stand-in for the test
        distil = self.sakd.distil

        def distilled(student: Outputs, teacher: Outputs, active: Active, batch: Batch) -> dict[str, Tensor]:
            losses = distil(student, teacher, active, batch)
            self.seen |= {"student": student.logits, "teacher": teacher.logits, **losses}
            return losses

        self.sakd.distil = distilled  # type: ignore[method-assign] # a stand-in for the test
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
        self.distillation.after_step(batch)

    def groups(self) -> dict[str, list[Tensor]]:
        learned = list(
            self.method.translators.parameters() if isinstance(self.method, FT) else self.method.parameters()
        )
        groups: dict[str, Iterable[Tensor]] = {
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


@pytest.mark.recorded
@pytest.mark.parametrize("name", GOLDEN)
def test_steps_come_out_as_recorded(name: str) -> None:
    golden = GOLDEN[name]
    run = Reproduction(golden)
    for t, step in enumerate(golden.steps):
        before = {group: [x.clone() for x in tensors] for group, tensors in run.groups().items()}
        run.step(t)
        seen = run.seen

        if step.decisions is not None and step.scores is not None:
            gates = seen["gates"]
            assert ["".join("1" if gate else "0" for gate in row) for row in gates.tolist()] == step.decisions
            assert torch.equal(gates, gates.round())
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


# Laws, on small images.

SIZE, CLASSES, SAMPLES = 16, 10, 40
DATA = DataInfo(CLASSES, SIZE, torch.arange(SAMPLES) % CLASSES, batch_size=8)


@dataclass
class StudentTrainer:
    distillation: Distillation
    teacher: Tapped

    @classmethod
    def of(cls, *methods: Method, teacher: str = "resnet14", student: str = "resnet8") -> "StudentTrainer":
        with seeded(0, "networks"):
            t = Tapped(zoo(teacher, CLASSES)).double().requires_grad_(False).eval()
            s = zoo(student, CLASSES).double()
        _wake(t)
        return cls(Distillation(s, t, methods, DATA).train(), t)

    @property
    def sakd(self) -> SpotAdaptive:
        (found,) = (m for _, m in self.distillation.named_methods() if isinstance(m, SpotAdaptive))
        return found

    def terms(self, step: int = 0) -> dict[str, Tensor]:
        batch = _batch(step)
        with torch.no_grad():
            teacher_outputs = self.teacher(batch.images)
        terms: dict[str, Tensor] = self.distillation(batch, teacher_outputs)
        return terms

    def train_step(self, steps: int, first: int = 0, optimizer: Optimizer | None = None) -> Optimizer:
        optimizer = optimizer or Optimizer(self.distillation.phases(1)[-1], TrainConfig(milestones=()))
        for step in range(first, first + steps):
            optimizer.step(self.terms(step))
        return optimizer


def _wake(net: nn.Module) -> None:
    """Running statistics unlike the initial ones, so that train and eval mode differ as in a trained network."""
    for i, buffer in enumerate(_running(net)):
        buffer.copy_(0.8 + 0.4 * u(buffer.shape, i).abs())


def _batch(step: int = 0) -> Batch:
    indices = (8 * step + torch.arange(8)) % SAMPLES
    return Batch(u((8, 3, SIZE, SIZE), step), indices % CLASSES, indices, epoch=step / 5, step=step)


def _equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def _features() -> list[SpotMethod]:
    return [KD(1.0), FitNet(10.0), AT(), SP(at="last_stage"), RKD(0.1)]


def test_always_is_the_terms_by_themselves() -> None:
    wrapped, plain = (
        StudentTrainer.of(CE(), SpotAdaptive(_features(), mode="always")),
        StudentTrainer.of(CE(), *_features()),
    )
    wrapped.train_step(3)
    plain.train_step(3)
    assert _equal(wrapped.distillation.student, plain.distillation.student)
    assert torch.equal(
        torch.cat([p.flatten() for p in wrapped.distillation.methods.parameters()]),
        torch.cat([p.flatten() for p in plain.distillation.methods.parameters()]),
    )


def test_never_is_cross_entropy() -> None:
    wrapped, plain = StudentTrainer.of(CE(), SpotAdaptive(_features(), mode="never")), StudentTrainer.of(CE())
    wrapped.train_step(3)
    plain.train_step(3)
    assert _equal(wrapped.distillation.student, plain.distillation.student)


def test_anti_distils_the_others() -> None:
    adaptive, anti = (
        StudentTrainer.of(SpotAdaptive(_features(), mode=mode, prior=0.5)) for mode in ("adaptive", "anti")
    )
    seen: list[Tensor] = []
    for trainer in (adaptive, anti):
        sakd = trainer.sakd
        distil = sakd.distil

        def spied(
            student: Outputs,
            teacher: Outputs,
            active: Active,
            batch: Batch,
            distil: Callable[..., dict[str, Tensor]] = distil,
        ) -> dict[str, Tensor]:
            seen.append(torch.stack([mask for mask in active.values() if isinstance(mask, Tensor)]))
            return distil(student, teacher, active, batch)

        sakd.distil = spied  # type: ignore[method-assign] # a stand-in for the test
        trainer.terms()
    assert 0 < seen[0].mean() < 1
    assert torch.equal(seen[0], 1 - seen[1])
    for key in ("agent", "routed_loss"):
        assert torch.equal(adaptive.sakd.means.read()[key], anti.sakd.means.read()[key])


@pytest.mark.parametrize("mode", ["adaptive", "anti", "joint"])
def test_student_learns_nothing_from_the_routes(mode: Mode) -> None:
    trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], mode=mode, gamma=2.0, prior=0.0))
    student, sakd = trainer.distillation.student, trainer.sakd
    distil, plain = sakd.distil, copy.deepcopy(student)
    parts: dict[str, Tensor] = {}

    def spied(student: Outputs, teacher: Outputs, active: Active, batch: Batch) -> dict[str, Tensor]:
        parts.update(distil(student, teacher, active, batch))
        return dict(parts)

    sakd.distil = spied  # type: ignore[method-assign] # a stand-in for the test
    modes = {module: module.training for module in student.modules()}
    total = trainer.terms()["SpotAdaptive"]
    plain(_batch().images)
    assert all(torch.equal(a, b) for a, b in zip(_running(student), _running(plain), strict=True))
    assert modes == {module: module.training for module in student.modules()}
    assert all(parameter.requires_grad for parameter in student.parameters())

    parameters = [*student.parameters()]
    expected = torch.autograd.grad(sum(parts.values()), parameters, retain_graph=True)  # type: ignore[arg-type]
    actual = torch.autograd.grad(total, parameters, retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))
    agent = [*sakd.policy.parameters(), *sakd.routes.parameters()]
    assert all(
        g.abs().sum() > 0 for g in torch.autograd.grad(total, [sakd.policy.linear.weight, sakd.policy.linear.bias])
    )
    assert not {id(p) for p in agent} & {id(p) for p in parameters}


def test_teacher_is_left_alone_unless_it_learns_along() -> None:
    for mode in ("adaptive", "joint"):
        trainer = StudentTrainer.of(CE(), SpotAdaptive([KD(), AT()], mode=mode, prior=0.0))
        before = copy.deepcopy(trainer.teacher)
        trainer.train_step(2)
        assert _equal(trainer.teacher, before)
        assert all(parameter.grad is None and not parameter.requires_grad for parameter in trainer.teacher.parameters())
        own = trainer.sakd.teacher
        if own is not None:
            trained, untrained = own.state_dict(), before.state_dict()
            assert all(not torch.equal(trained[name], value) for name, value in untrained.items())


def test_one_optimiser_with_groups_is_two_optimisers() -> None:
    one, two = (
        StudentTrainer.of(CE(), SpotAdaptive([KD(1.0), FitNet(1.0), AT()], gamma=2.0, prior=0.0, agent_lr=0.3))
        for _ in range(2)
    )
    one.train_step(3)
    agent = [*two.sakd.policy.parameters(), *two.sakd.routes.parameters()]
    main = [p for p in two.distillation.parameters() if all(p is not q for q in agent)]
    optimizers = {
        "agent": torch.optim.SGD(agent, 0.3 * 0.05, momentum=0.9, weight_decay=1e-3),
        "main": torch.optim.SGD(main, 0.05, momentum=0.9, weight_decay=5e-4),
    }
    agent_loss, losses = two.sakd.agent_loss, list[Tensor]()

    def spied(routed: Tensor, alone: Tensor, labels: Tensor, gates: Tensor) -> Tensor:
        losses.append(agent_loss(routed, alone, labels, gates))
        return losses[-1]

    two.sakd.agent_loss = spied  # type: ignore[assignment] # a stand-in for the test
    for step in range(3):
        total = torch.stack([*two.terms(step).values()]).sum()
        gradients = torch.autograd.grad(losses[-1], agent, retain_graph=True)
        for parameter, gradient in zip(main, torch.autograd.grad(total, main), strict=True):
            parameter.grad = gradient
        for parameter, gradient in zip(agent, gradients, strict=True):
            parameter.grad = gradient
        for optimizer in optimizers.values():
            optimizer.step()
    for a, b in zip(one.distillation.parameters(), two.distillation.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("terms", [[KD], [KD, AT], [KD, RKD], [FitNet, SP]])
def test_shared_and_naive_routing_give_the_same_updates(terms: list[Callable[[], SpotMethod]]) -> None:
    shared, naive = (StudentTrainer.of(CE(), SpotAdaptive([term() for term in terms], prior=0.0)) for _ in range(2))
    routes = naive.sakd.routes

    def from_the_images(student: Outputs, teacher: Outputs, gates: Tensor, batch: Batch) -> Tensor:
        """As described: everything runs anew, in full, and nothing is frozen."""
        s = t = batch.images
        with in_eval_mode(student.net):
            for i, (s_piece, t_piece) in enumerate(zip(*routes.pieces, strict=True)):
                s, t = s_piece(s), t_piece(t)
                a = gates[:, i].reshape(-1, *[1] * (s.ndim - 1))
                if i < len(routes.junctions):
                    junction = routes.junctions[i]
                    assert isinstance(junction, Junction)
                    hint, anti_hint = junction.to_teacher(s), junction.to_student(t)
                    s, t = (1 - a) * s + a * anti_hint, (1 - a) * hint + a * t
        return a * t + (1 - a) * s

    losses = list[Tensor]()
    routes.forward = from_the_images  # type: ignore[method-assign] # a stand-in for the test
    agent_loss = naive.sakd.agent_loss

    def spied(routed: Tensor, alone: Tensor, labels: Tensor, gates: Tensor) -> Tensor:
        losses.append(agent_loss(routed, alone, labels, gates))
        return losses[-1]

    naive.sakd.agent_loss = spied  # type: ignore[assignment] # a stand-in for the test
    config = TrainConfig()
    groups = [
        {
            "params": group.parameters,
            "lr": config.lr * group.lr_scale,
            "weight_decay": config.weight_decay if group.weight_decay is None else group.weight_decay,
        }
        for group in naive.distillation.phases(1)[-1].groups
    ]
    optimizer = torch.optim.SGD(groups, momentum=config.momentum)
    for step in range(2):
        total = torch.stack([*naive.terms(step).values()]).sum()
        agent = [*naive.sakd.policy.parameters(), *naive.sakd.routes.parameters()]
        main = [p for p in naive.distillation.parameters() if all(p is not q for q in agent)]
        gradients = torch.autograd.grad(losses[-1], agent, retain_graph=True)
        rest = torch.autograd.grad(total - losses[-1], main)
        for parameter, gradient in zip([*agent, *main], [*gradients, *rest], strict=True):
            parameter.grad = gradient
        optimizer.step()
    shared.train_step(2)
    for a, b in zip(shared.distillation.parameters(), naive.distillation.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)
    for x, y in zip(shared.distillation.buffers(), naive.distillation.buffers(), strict=True):
        torch.testing.assert_close(x, y)


@pytest.mark.parametrize(
    ("teacher", "student"), [("vgg8", "resnet8"), ("ShuffleV1", "vgg8"), ("wrn_16_1", "MobileNetV2")]
)
def test_networks_with_different_stages(teacher: str, student: str) -> None:
    sakd = SpotAdaptive([KD(), AT(), SP(), FitNet(at="last_stage"), CC()])
    trainer = StudentTrainer.of(CE(), sakd, teacher=teacher, student=student)
    names = [(place.student, place.teacher) for place in sakd.places]
    assert names[-2:] == [("embedding", "embedding"), ("logits", "logits")]
    assert len(names) == 5 + (
        min(len(net.anatomy.stages) for net in (trainer.teacher, trainer.distillation.student)) == 4
    )
    assert sakd.policy.linear.bias[::2].abs().max() < 1  # no prior
    optimizer = trainer.train_step(2)
    assert all(torch.isfinite(p).all() for p in trainer.distillation.parameters())
    for parameter in sakd.routes.parameters():
        assert any(parameter is p for p in optimizer.parameters)
        assert parameter.grad is not None


def test_prior_begins_with_distillation_everywhere() -> None:
    trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()]))
    for step in range(5):
        trainer.terms(step)
    observed = trainer.sakd.observations()
    assert all(observed[f"likely/{place.student}"] > 0.999 for place in trainer.sakd.places)
    assert trainer.sakd.decisions.latest.double().mean() > 0.99


def test_temperature_scales_gradients_only() -> None:
    gradients, decisions = [], []
    for temperature in (1.0, 5.0):
        trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], temperature=temperature, prior=0.0))
        loss = trainer.terms()["SpotAdaptive"]
        gradients.append(torch.autograd.grad(loss, trainer.sakd.policy.linear.weight)[0])
        decisions.append(trainer.sakd.decisions.latest)
    assert torch.equal(*decisions)
    assert gradients[0].norm() > 2 * gradients[1].norm()


def test_decisions_follow_their_probability() -> None:
    trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], prior=0.7))
    one, often = u((1, 3, SIZE, SIZE), 1), torch.zeros(20_000, dtype=torch.int64)
    teacher_outputs = [
        replace(outputs, tapped={"embedding": outputs["embedding"]}).rows(often)
        for outputs in (trainer.distillation.student.eval()(one), trainer.teacher(one))
    ]
    gates, probability = trainer.sakd.policy(*teacher_outputs, _batch(3))
    torch.testing.assert_close(gates.mean(0), probability.mean(0), rtol=0, atol=0.02)
    assert (probability[0] - probability[1]).abs().max() == 0


def test_random_decides_by_lot() -> None:
    trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], mode="random", rate=0.25))
    assert not trainer.sakd.is_routed
    for step in range(5):
        trainer.terms(step)
    latest = trainer.sakd.decisions.latest
    assert 0.15 < latest.double().mean() < 0.35
    assert len(latest.unique(dim=1).T) == len(trainer.sakd.places)  # type: ignore[no-untyped-call] # in PyTorch
    again = StudentTrainer.of(SpotAdaptive([KD(), AT()], mode="random", rate=0.25))
    again.terms(4)
    assert torch.equal(latest[32:], again.sakd.decisions.latest[32:])  # a decision depends on the step only


def test_fixed_spots_are_not_decided() -> None:
    fixed = {"stage1": False, "logits": True}
    for mode in ("adaptive", "anti", "random"):
        trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], mode=mode, fixed=fixed, prior=0.0))
        for step in range(5):
            trainer.terms(step)
        observed = trainer.sakd.observations()
        assert observed["on/stage1"] == observed["likely/stage1"] == 0
        assert observed["on/logits"] == observed["likely/logits"] == 1
        assert 0 < observed["on/stage2"] < 1
    plain = StudentTrainer.of(KD(), AT(at=[("stage2", "stage2"), ("stage3", "stage3")]))
    fixed |= {"stage2": True, "stage3": True}
    expected = torch.stack([*plain.terms().values()]).sum()
    torch.testing.assert_close(
        StudentTrainer.of(SpotAdaptive([KD(), AT()], mode="never", fixed=fixed)).terms()["SpotAdaptive"], expected
    )
    with pytest.raises(
        ValueError, match=r"fixed must name spots of its terms, stage1, stage2, stage3, logits, not 'stage9'"
    ):
        StudentTrainer.of(SpotAdaptive([KD(), AT()], fixed={"stage9": True}))


def test_refuses_numbers_without_meaning() -> None:
    with pytest.raises(ValueError, match="terms must hold at least one method; name some"):
        SpotAdaptive([])
    with pytest.raises(ValueError, match="SpotAdaptive: gamma must be positive, not 0"):
        SpotAdaptive([KD()], gamma=0.0)
    with pytest.raises(ValueError, match=r"SpotAdaptive: rate must be between 0 and 1, not 1\.5"):
        SpotAdaptive([KD()], rate=1.5)


def test_refuses_spots_that_cross() -> None:
    crossing = AT(at=[("stage1", "stage3"), ("stage3", "stage1")])
    with pytest.raises(
        ValueError,
        match=r"SpotAdaptive: its spots must come in one order .* \(stage1 with stage3, stage3 with stage1",
    ):
        StudentTrainer.of(SpotAdaptive([KD(), crossing]))


def test_two_terms_at_one_place_share_a_decision() -> None:
    sakd = SpotAdaptive([KD(), AT(), SP(at="last_stage"), NST(at="map")])
    StudentTrainer.of(sakd)
    assert [place.student for place in sakd.places] == ["stage1", "stage2", "stage3", "logits"]


def test_one_place_of_the_student_may_meet_two_of_the_teacher() -> None:
    twice = AT(at=[("stage3", "stage2"), ("stage3", "stage3")])
    sakd = SpotAdaptive([KD(), twice], fixed={"stage3": True}, prior=0.0)
    StudentTrainer.of(sakd).train_step(1)
    observed = sakd.observations()
    assert observed["on/stage3_stage2"] == observed["on/stage3_stage3"] == 1
    assert sakd.given.decisions == {0: True, 1: True}


def test_resume_equals_no_interruption() -> None:
    through, stopped, resumed = (
        StudentTrainer.of(CE(), SpotAdaptive([KD(), FitNet(), CRD(num_negatives=8)], prior=0.0)) for _ in range(3)
    )
    through.train_step(3)
    optimizer = stopped.train_step(2)
    resumed.distillation.load_state_dict(stopped.distillation.state_dict())
    fresh = Optimizer(resumed.distillation.phases(1)[-1], TrainConfig(milestones=()))
    fresh.load_state_dict(optimizer.state_dict())
    resumed.train_step(1, first=2, optimizer=fresh)
    assert _equal(through.distillation, resumed.distillation)
    assert not any("model" in name for name in through.sakd.state_dict())  # neither network is a part of the method


def test_copy_routes_through_its_own_student() -> None:
    trainer = StudentTrainer.of(CE(), SpotAdaptive([KD(), AT()], prior=0.0))
    twin = StudentTrainer(copy.deepcopy(trainer.distillation), trainer.teacher)
    inside = {id(p) for piece in twin.sakd.routes.pieces[0] for p in piece.parameters()}
    assert inside == {id(p) for p in twin.distillation.student.parameters()}
    trainer.train_step(1)
    twin.train_step(1)
    assert _equal(trainer.distillation, twin.distillation)


def test_routes_run_in_the_precision_of_the_student() -> None:
    trainer = StudentTrainer.of(CE(), SpotAdaptive([KD(), AT()], prior=0.0))
    trainer.distillation.float()
    trainer.teacher.float()
    batch = replace(_batch(), images=_batch().images.float())
    seen: list[torch.dtype] = []
    conv = trainer.distillation.student.module("layer3.0.conv1")
    conv.register_forward_hook(lambda module, args, value: seen.append(value.dtype))
    for dtype, enabled in ((torch.bfloat16, True), (torch.float32, False)):
        seen.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            with torch.no_grad():
                teacher_outputs = trainer.teacher(batch.images)
            terms = trainer.distillation(batch, teacher_outputs)
        torch.autograd.backward(torch.stack([*terms.values()]).sum())
        assert seen == [dtype, dtype]  # the student's own pass, and the routes'
        assert {term.dtype for term in terms.values()} == {torch.float32}
        assert all(torch.isfinite(term) for term in terms.values())


def test_no_graph_stays_behind() -> None:
    trainer = StudentTrainer.of(CE(), SpotAdaptive([KD(), AT(), CRD(num_negatives=8)], prior=0.0))
    held: list[weakref.ref[Tensor]] = []
    trainer.sakd.routes.register_forward_hook(lambda module, args, routed: held.append(weakref.ref(routed)))
    terms = trainer.terms()
    torch.autograd.backward(torch.stack([*terms.values()]).sum())
    del terms
    assert held[0]() is None
    assert not any(buffer.requires_grad for buffer in trainer.distillation.buffers())


def test_nothing_waits_for_the_device() -> None:
    """Fake tensors have no values, so whatever asks for one fails."""
    terms = [KD(), AT(), SP(), RKD(), CC(correlation="consecutive"), PKT(), CRD(num_negatives=8)]
    trainer = StudentTrainer.of(CE(), SpotAdaptive(terms, prior=0.0))
    with FakeTensorMode(allow_non_fake_inputs=True):
        losses = torch.stack([*trainer.terms().values()])
        torch.autograd.backward(losses.sum())
        with pytest.raises(DataDependentOutputException):
            losses[0].item()


def test_defaults_are_the_codes() -> None:
    sakd = SpotAdaptive([KD()])
    assert sakd.agent_loss == (1.0, 0.5, False)
    assert (sakd.weight, sakd.temperature, sakd.rate) == (1.0, 5.0, 0.5)
    assert (sakd.agent_lr, sakd.agent_weight_decay) == (0.5, 1e-3)


@pytest.mark.parametrize(
    ("mode", "terms", "needs_teacher"),
    [("adaptive", [CE()], True), ("random", [CE()], False), ("random", [CE(), KD()], True), ("joint", [KD()], True)],
)
def test_what_decides_or_distils_by_the_teacher_needs_one(
    mode: Mode, terms: list[SpotMethod], needs_teacher: bool
) -> None:
    assert SpotAdaptive(terms, mode=mode).needs_teacher == needs_teacher


def test_a_teacher_that_learns_along_has_a_column() -> None:
    trainer = StudentTrainer.of(SpotAdaptive([KD()], mode="joint", gamma=3.0))
    trainer.terms()
    observed = trainer.sakd.observations()
    assert list(observed)[:5] == ["KD", "teacher", "agent", "routed_loss", "routed_top1"]
    assert observed["agent"] == 3 * observed["routed_loss"]
    assert trainer.sakd.teacher is not None
    said = trainer.sakd.teacher.forward_batch(_batch()).logits
    torch.testing.assert_close(observed["teacher"], 3 * F.cross_entropy(said, _batch().labels))


def test_observes_what_was_decided() -> None:
    trainer = StudentTrainer.of(CE(), SpotAdaptive([KD(), AT()], prior=0.0))
    trainer.train_step(2)
    observed = trainer.sakd.observations()
    places = ["stage1", "stage2", "stage3", "logits"]
    assert list(observed) == [
        *["KD", "AT", "agent", "routed_loss", "routed_top1"],
        *[f"{what}/{place}" for what in ("on", "likely", "changed") for place in places],
    ]
    latest = trainer.sakd.decisions.latest[:16].double()
    assert [observed[f"on/{place}"].item() for place in places] == latest.mean(0).tolist()


def test_the_probability_of_distilling_an_image_is_the_policys_and_of_no_other_mode() -> None:
    fixed = {"stage1": True}
    for mode in ("adaptive", "anti", "random", "always"):
        trainer = StudentTrainer.of(SpotAdaptive([KD(), AT()], mode=mode, fixed=fixed, prior=0.3))
        outputs = (trainer.distillation.student(_batch().images), trainer.teacher(_batch().images))
        found = trainer.sakd.per_image(*outputs, _batch())
        if not trainer.sakd.is_routed:
            assert not found
            continue
        _, probability = trainer.sakd.policy(*outputs, _batch())
        expected = 1 - probability if mode == "anti" else probability
        expected[:, 0] = 1
        assert list(found) == ["likely/stage1", "likely/stage2", "likely/stage3", "likely/logits"]
        assert torch.equal(torch.stack([*found.values()], dim=1), expected)
        assert len(expected[:, 1].unique()) == 8


def test_embeddings_are_read_by_a_policy_only() -> None:
    embedding = Spot("embedding", "embedding")
    modes: tuple[Mode, ...] = ("adaptive", "anti", "joint", "random", "always", "never")
    read = [embedding in StudentTrainer.of(SpotAdaptive([KD(), AT()], mode=mode)).sakd.spots for mode in modes]
    assert read == [True, True, True, False, False, False]


class _Means(FeatureMethod):
    """One loss for all samples, in a class that says nothing about masks."""

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student.mean(0) - teacher.mean(0)).square().sum()


@pytest.mark.parametrize("names", [(), (3,), (1, 6), (0, 2, 3, 7), tuple(range(8))])
@pytest.mark.parametrize("method", [*METHODS, "KD", "DIST", "CC of the paper", "unaware"])
def test_a_loss_of_some_samples_is_that_of_their_batch(method: str, names: tuple[int, ...]) -> None:
    others = {"KD": KD, "DIST": DIST, "CC of the paper": CC, "unaware": _Means}
    trainer = StudentTrainer.of((METHODS | others)[method](1.0))
    (term,) = (m.eval() for _, m in trainer.distillation.named_methods())
    assert isinstance(term, SpotMethod)
    batch = _batch()
    keep = torch.tensor(names, dtype=torch.int64)
    active = torch.zeros(8, dtype=torch.float64).index_fill(0, keep, 1)
    student, teacher = trainer.distillation.student(batch.images), trainer.teacher(batch.images)
    if isinstance(term, CRD):
        drawn = term.candidates(batch)
        term.candidates = lambda some: drawn[: len(some.labels)] if some is batch else drawn[some.indices]  # type: ignore
    spot = term.spots[-1]
    masked = active * term.loss_at(spot, student, teacher, replace(batch, active=active))
    assert torch.isfinite(masked).all()
    if not names or (method == "unaware" and len(names) == 1):  # one sample has no relations
        assert masked.mean() == 0
        return
    alone = term.loss_at(spot, student.rows(keep), teacher.rows(keep), batch.rows(keep)).mean() * len(names) / 8
    torch.testing.assert_close(masked.mean(), alone, rtol=1e-10, atol=1e-13)
    if alone.requires_grad:
        parameters = [*trainer.distillation.student.parameters()]
        expected = torch.autograd.grad(alone, parameters, allow_unused=True, retain_graph=True)
        actual = torch.autograd.grad(masked.mean(), parameters, allow_unused=True)
        for a, b in zip(actual, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-11)
