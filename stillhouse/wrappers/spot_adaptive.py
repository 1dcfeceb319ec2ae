"""Spot-adaptive distillation: a policy decides, sample by sample, at which spots to distil."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..anatomy import Anatomy
from ..distillation import term_names
from ..layers.decisions import Decisions
from ..layers.means import Means
from ..layers.routes import Routes, line_up, precision_of
from ..method import Group, Method, Spot, SpotMethod, Warmup
from ..outputs import Batch, DataInfo, Outputs
from ..streams import seeded
from ..taps import Tapped

_EMBEDDING = Spot("embedding", "embedding")


class SpotAdaptive(Method):
    """Spot-adaptive Knowledge Distillation (Song et al., TIP 2022, arXiv:2205.02399).

    Every sample also takes a route through both networks: at each spot a policy, which reads both embeddings, sends
    it on through the teacher's next block or through the student's, by way of adapters. A sample is distilled at
    those spots where its route takes the teacher's block. With R the cross-entropy of the routes and C the student's
    own, policy and adapters learn from

        gamma^sign(R - C) R + max(0, balance N - number of samples whose route ends in the teacher's logits)

    All of it is as in the authors' code, where the terms are KD, with weight 1, and one other method, beside CE.

    Args:
        terms: The methods. Their spots, and the logits, are where a route may change between the networks.
        mode: "anti" distils where a route takes the student's block instead. "random", "always" and "never" decide
            without a policy and route nothing. "joint" is adaptive, with a copy of the teacher that learns along, from
            gamma times its cross-entropy and from the terms; R is then weighed by gamma alone, and nothing balanced.
        gamma: The code has 1, but 2 for AT, VID and RKD, and on Tiny-ImageNet. Its scripts for random decisions and
            joint training weigh CE by it too.
        balance: The share of samples that shall be distilled at the logits.
        temperature: Of the policy's straight-through Gumbel softmax; it scales gradients, not probabilities.
        prior: What the policy adds to its scores for the teacher's blocks to begin with. If left out 10, as in the
            code, between networks of one class with features of one shape at every spot, else 0; 0 with "joint".
        rate: The share of samples that "random" distils at each spot.
        fixed: Decisions that are given, by the student's name of the spot, e.g. {"stage1": False, "logits": True}.
        agent_lr: Learning rate of policy and adapters, relative to the recipe's.
        agent_weight_decay: Of policy and adapters.
    """

    free: Tensor  # (P,) whether the decisions at a place are not given

    def __init__(
        self,
        terms: Sequence[SpotMethod],
        weight: float = 1.0,
        mode: Literal["adaptive", "anti", "random", "always", "never", "joint"] = "adaptive",
        gamma: float = 1.0,
        balance: float = 0.5,
        temperature: float = 5.0,
        prior: float | None = None,
        rate: float = 0.5,
        fixed: Mapping[str, bool] | None = None,
        agent_lr: float = 0.5,
        agent_weight_decay: float = 1e-3,
    ):
        super().__init__(weight)
        self.terms = nn.ModuleDict(dict(zip(term_names(terms), terms, strict=True)))
        self.mode, self.rate, self.fixed = mode, rate, dict(fixed or {})
        self.gamma, self.balance, self.temperature, self.prior = gamma, balance, temperature, prior
        self.agent_lr, self.agent_weight_decay = agent_lr, agent_weight_decay
        self.is_routed = mode in ("adaptive", "anti", "joint")
        self.teacher: Tapped | None = None  # "joint" has its own
        if any(term.teacher_statistics == "batch" for term in terms):
            self.teacher_statistics = "batch"

    def named_terms(self) -> Iterator[tuple[str, SpotMethod]]:
        for name, term in self.terms.items():
            assert isinstance(term, SpotMethod)
            yield name, term

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        for _, term in self.named_terms():
            term.spots = term.choose_spots(student, teacher)
        spots = [spot for _, term in self.named_terms() for spot in term.spots]
        return list(dict.fromkeys([*spots, _EMBEDDING] if self.is_routed else spots))

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for name, term in self.named_terms():
            with seeded(data.seed, f"init {name}"):  # as it begins without this wrapper
                term.build(student, teacher, data)
        spots = [spot for _, term in self.named_terms() for spot in term.spots]
        self.places, self.column = line_up(spots, student, teacher)
        self.given = self.given_decisions()
        free = torch.tensor([i not in self.given for i in range(len(self.places))])
        self.register_buffer("free", free, persistent=False)
        self.decisions = Decisions(len(self.places), data)
        self.means = Means([*self.terms, *(["agent", "routed_loss", "routed_top1"] if self.is_routed else [])])
        if self.mode == "joint":
            self.teacher = copy.deepcopy(teacher.net).requires_grad_()
            teacher = replace(teacher, net=self.teacher)
        if self.is_routed:
            self.routes = Routes(student, teacher, self.places, data.image_size, fresh=self.mode == "joint")
            prior = 10.0 if self.routes.homogeneous and self.mode != "joint" else 0.0
            prior = prior if self.prior is None else self.prior
            self.policy = _Policy(student, teacher, len(self.places), self.temperature, prior)

    def given_decisions(self) -> dict[int, bool]:
        """By column, those that neither policy nor lot decide."""
        every = {"always": True, "never": False}.get(self.mode)
        given = {} if every is None else dict.fromkeys(range(len(self.places)), every)
        columns = {spot.student: column for spot, column in self.column.items()}
        for name, decision in self.fixed.items():
            if name not in columns:
                raise ValueError(f"fixed names {name!r}, which is no spot of its terms; those are {', '.join(columns)}")
            given[columns[name]] = decision
        return given

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> ()"""
        if self.teacher is not None:
            with precision_of(student):
                teacher = self.teacher.see(batch)
        gates, probability = self.decide(student, teacher, batch)
        on = torch.where(self.free, 1 - gates, gates).detach() if self.mode == "anti" else gates.detach()
        losses = self.distil(student, teacher, on, batch)
        measured: dict[str, Tensor] = {}
        if self.is_routed:
            routed = self.routes(student, teacher, gates, batch)
            losses["agent"] = self.agent_loss(routed, student, gates, batch)
            measured["routed_loss"] = F.cross_entropy(routed, batch.labels)
            measured["routed_top1"] = 100 * (routed.argmax(1) == batch.labels).float().mean()
        if self.teacher is not None:
            losses["teacher"] = self.gamma * F.cross_entropy(teacher.logits, batch.labels)
        self.decisions.record(on, probability, batch)
        self.means.record(losses | measured, batch)
        return torch.stack(list(losses.values())).sum()

    def decide(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """(N, P) ones where a route takes the teacher's block, else zeros; and how likely the ones were"""
        if self.is_routed:
            gates, probability = self.policy(student, teacher, batch)
        else:
            probability = student.logits.new_full((len(batch.labels), len(self.places)), self.rate)
            gates = torch.bernoulli(probability, generator=batch.generator("spots"))
        given = gates.new_tensor([self.given.get(i, False) for i in range(len(self.places))])
        return torch.where(self.free, gates, given), torch.where(self.free, probability, given)

    def distil(self, student: Outputs, teacher: Outputs, on: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted losses by term; on is (N, P), the samples that are distilled at each place"""
        losses = {}
        for name, term in self.named_terms():
            loss = student.logits.new_zeros(())
            for spot in term.spots:
                mask, decision = on[:, self.column[spot]], self.given.get(self.column[spot])
                if decision is None:
                    loss = loss + mask * term.loss_at(spot, student, teacher, replace(batch, on=mask))
                elif decision:
                    loss = loss + term.loss_at(spot, student, teacher, batch)
            losses[name] = term.weight * loss.mean()
        return losses

    def agent_loss(self, routed: Tensor, student: Outputs, gates: Tensor, batch: Batch) -> Tensor:
        """(N, C) logits of the routes, (N, P) decisions -> ()"""
        r = F.cross_entropy(routed, batch.labels)
        if self.mode == "joint":
            return self.gamma * r
        c = F.cross_entropy(student.logits, batch.labels)
        scale: Tensor = self.gamma ** (r - c).detach().sign()
        return scale * r + F.relu(self.balance * len(gates) - gates[:, -1].sum())

    def groups(self) -> Sequence[Group]:
        groups = [group for _, term in self.named_terms() for group in term.groups()]
        if self.is_routed:
            agent = [*self.policy.parameters(), *self.routes.parameters()]
            groups.append(Group(agent, self.agent_lr, self.agent_weight_decay))
        if self.teacher is not None:
            groups.append(Group(list(self.teacher.parameters())))
        return groups

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [warmup for _, term in self.named_terms() for warmup in term.warmups(student, teacher)]

    def after_step(self, batch: Batch) -> None:
        for _, term in self.named_terms():
            term.after_step(batch)

    def observations(self) -> Mapping[str, Tensor]:
        """Beside what the terms observe: the share of samples distilled at each place, how likely that was, and how
        many were decided otherwise the epoch before; each part of the loss, and how well the routes do."""
        observed = {
            f"{name}.{key}": value for name, term in self.named_terms() for key, value in term.observations().items()
        }
        counts = {"on": self.decisions.rate, "likely": self.decisions.likelihood, "changed": self.decisions.change}
        at_places = {
            f"{what}_{place.student}": shares[i]
            for what, shares in counts.items()
            for i, place in enumerate(self.places)
        }
        return {**self.means.read(), **at_places, **observed}

    def deploy(self, student: nn.Module) -> nn.Module:
        for _, term in self.named_terms():
            student = term.deploy(student)
        return student


class _Policy(nn.Module):
    """Reads both embeddings of a sample and decides for each of P places, teacher or student."""

    def __init__(self, student: Outputs, teacher: Outputs, places: int, temperature: float, prior: float):
        super().__init__()
        width = teacher["embedding"].shape[1] + student["embedding"].shape[1]
        self.linear = nn.Linear(width, 2 * places)
        with torch.no_grad():
            self.linear.bias[::2] += prior
        self.temperature = temperature

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """Twice (N, P): ones and zeros, with the gradient of their softened probability; and that of the ones"""
        seen = torch.cat([teacher["embedding"], student["embedding"]], dim=1).detach()
        scores = self.linear(seen).unflatten(1, (-1, 2))  # (N, P, 2), for the teacher and for the student
        noisy = scores + self.noise(scores, batch)
        soft = (noisy / self.temperature).softmax(2)[..., 0]
        hard = (noisy[..., 0] > noisy[..., 1]).to(soft)
        return hard + (soft - soft.detach()), scores.softmax(2)[..., 0].detach()

    def noise(self, scores: Tensor, batch: Batch) -> Tensor:
        """Gumbel's"""
        uniform = torch.rand(scores.shape, generator=batch.generator("spots"), device=scores.device, dtype=scores.dtype)
        return -(-(uniform + 1e-20).log() + 1e-20).log()
