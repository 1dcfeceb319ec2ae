"""Spot-adaptive distillation: a policy decides, sample by sample, at which spots to distil."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ...anatomy import Anatomy
from ...batch import Batch, DataInfo
from ...method import Group, Spot, SpotMethod
from ...ranges import Fraction, NonNegative, Number, Positive, Temperature
from ...taps import Outputs, Tapped
from ..layers.decision_stats import Decisions
from ..layers.policy import Policy
from ..layers.routes import Routes, line_up, precision_of
from ..layers.running_means import Means
from .bundle import Bundle


class SpotAdaptive(Bundle):
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

    free: Tensor  # (P,) whether policy or lot decide at a place
    answer: Tensor  # (P,) what is decided where they do not

    def __init__(
        self,
        terms: Sequence[SpotMethod],
        weight: float = 1.0,
        mode: Literal["adaptive", "anti", "random", "always", "never", "joint"] = "adaptive",
        gamma: Positive = 1.0,
        balance: NonNegative = 0.5,
        temperature: Temperature = 5.0,
        prior: Number | None = None,
        rate: Fraction = 0.5,
        fixed: Mapping[str, bool] | None = None,
        agent_lr: Positive = 0.5,
        agent_weight_decay: NonNegative = 1e-3,
    ):
        super().__init__(terms, weight)
        if not terms:
            raise ValueError("there are no terms to distil by; name some, such as [KD(1.0), AT()]")
        self.mode, self.rate, self.fixed = mode, rate, dict(fixed or {})
        self.gamma, self.balance, self.temperature, self.prior = gamma, balance, temperature, prior
        self.agent_lr, self.agent_weight_decay = agent_lr, agent_weight_decay
        self.is_routed = mode in ("adaptive", "anti", "joint")
        self.teacher: Tapped | None = None  # "joint" has its own

    @property
    def needs_teacher(self) -> bool:
        return self.is_routed or super().needs_teacher

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        spots = super().choose_spots(student, teacher)
        return list(dict.fromkeys([*spots, Spot("embedding", "embedding")])) if self.is_routed else spots

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        spots = [spot for _, term in self.named_terms() for spot in term.spots]
        self.places, self.column = line_up(spots, student, teacher)
        self.given = self.given_decisions()
        columns = range(len(self.places))
        self.register_buffer("free", torch.tensor([i not in self.given for i in columns]), persistent=False)
        self.register_buffer("answer", torch.tensor([1.0 * self.given.get(i, 0) for i in columns]), persistent=False)
        students = [place.student for place in self.places]
        names = [s if students.count(s) == 1 else f"{s}_{t}" for s, t in self.places]
        self.decisions = Decisions(names, data)
        measured = [*self.terms]
        if self.mode == "joint":
            self.teacher = copy.deepcopy(teacher.net).requires_grad_()
            self.teacher.precision = None  # it learns
            teacher = replace(teacher, net=self.teacher)
            measured += ["teacher"]
        if self.is_routed:
            self.routes = Routes(student, teacher, self.places, data.image_size, fresh=self.mode == "joint")
            prior = self.prior
            if prior is None:
                prior = 10.0 if self.routes.homogeneous and self.mode != "joint" else 0.0
            self.policy = Policy(student, teacher, len(columns), self.temperature, prior)
            measured += ["agent", "routed_loss", "routed_top1"]
        self.means = Means(measured)

    def given_decisions(self) -> dict[int, bool]:
        """By column, those that neither policy nor lot decide."""
        given = {i: self.mode == "always" for i in range(len(self.places)) if self.mode in ("always", "never")}
        for name, decision in self.fixed.items():
            columns = [column for spot, column in self.column.items() if spot.student == name]
            if not columns:
                known = ", ".join(dict.fromkeys(spot.student for spot in self.column))
                raise ValueError(f"fixed names {name!r}, which is no spot of its terms; those are {known}")
            given |= dict.fromkeys(columns, decision)
        return given

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> ()"""
        if self.teacher is not None:
            with precision_of(student):
                teacher = self.teacher.forward_batch(batch)
        gates, probability = self.decide(student, teacher, batch)
        active = torch.where(self.free, 1 - gates, gates).detach() if self.mode == "anti" else gates.detach()
        losses = self.distil(student, teacher, active, batch)
        measured: dict[str, Tensor] = {}
        if self.is_routed:
            routed = self.routes(student, teacher, gates, batch)
            losses["agent"] = self.agent_loss(routed, student, gates, batch)
            measured["routed_loss"] = F.cross_entropy(routed, batch.labels)
            measured["routed_top1"] = 100 * (routed.argmax(1) == batch.labels).float().mean()
        if self.mode == "joint":
            losses["teacher"] = self.gamma * F.cross_entropy(teacher.logits, batch.labels)
        self.decisions.record(active, probability, batch)
        self.means.record(losses | measured)
        return torch.stack(list(losses.values())).sum()

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        if self.is_routed:
            return {}  # its policy draws
        likely = self.answer.new_full((len(batch.labels), len(self.places)), self.rate)
        return {"gates": torch.bernoulli(likely, generator=batch.generator("spots"))}

    def decide(self, student: Outputs, teacher: Outputs, batch: Batch) -> tuple[Tensor, Tensor]:
        """(N, P) ones where a route takes the teacher's block, else zeros; and how likely the ones were"""
        if self.is_routed:
            gates, probability = self.policy(student, teacher, batch)
        else:
            probability = student.logits.new_full((len(batch.labels), len(self.places)), self.rate)
            gates = self.prepared(batch)["gates"]
        return torch.where(self.free, gates, self.answer), torch.where(self.free, probability, self.answer)

    def distil(self, student: Outputs, teacher: Outputs, active: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Weighted losses by term; on is (N, P), the samples that are distilled at each place"""
        losses = {}
        for name, term in self.named_terms():
            loss = student.logits.new_zeros(())
            for spot in term.spots:
                mask, decision = active[:, self.column[spot]], self.given.get(self.column[spot])
                if decision is None:
                    loss = loss + mask * term.loss_at(spot, student, teacher, replace(batch, active=mask))
                elif decision:
                    loss = loss + term.loss_at(spot, student, teacher, batch)
            losses[name] = term.weight * loss.mean()
        return losses

    def agent_loss(self, routed: Tensor, student: Outputs, gates: Tensor, batch: Batch) -> Tensor:
        """(N, C) logits of the routes, (N, P) decisions -> ()"""
        r = F.cross_entropy(routed, batch.labels)
        if self.mode == "joint":
            return self.gamma * r
        c = F.cross_entropy(student.logits.detach(), batch.labels)
        scale: Tensor = self.gamma ** (r.detach() - c).sign()
        return scale * r + F.relu(self.balance * len(gates) - gates[:, -1].sum())

    def own_groups(self) -> Sequence[Group]:
        groups = []
        if self.is_routed:
            agent = [*self.policy.parameters(), *self.routes.parameters()]
            groups.append(Group(agent, self.agent_lr, self.agent_weight_decay))
        if self.teacher is not None:
            groups.append(Group(list(self.teacher.parameters())))
        return groups

    def begin_epoch(self, epoch: int) -> None:
        super().begin_epoch(epoch)
        self.decisions.begin_epoch()
        self.means.begin_epoch()

    def observations(self) -> Mapping[str, Tensor]:
        """The parts of the loss; how well the routes do; the shares of samples that are on at each spot, that were
        likely to be, and that changed since the last epoch; and what the terms observe.
        """
        return {**self.means.read(), **self.decisions.read(), **super().observations()}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        """How likely each image is to be distilled at each spot."""
        inside = super().per_image(student, teacher, batch)
        if not self.is_routed:
            return inside
        _, likely = self.decide(student, teacher if self.teacher is None else self.teacher.forward_batch(batch), batch)
        if self.mode == "anti":
            likely = torch.where(self.free, 1 - likely, likely)
        names = [f"likely/{place}" for place in self.decisions.places]
        return {**dict(zip(names, likely.T, strict=True)), **inside}
