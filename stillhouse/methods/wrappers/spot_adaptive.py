"""Spot-adaptive distillation: for each sample, a policy decides at which spots to distil."""

from collections.abc import Mapping, Sequence
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
from ..layers.given_decisions import GivenDecisions, by_place
from ..layers.policy import AgentLoss, AtRandom, Policy
from ..layers.routes import Routes, line_up, place_names, precision_of, scores, with_a_net_that_learns
from ..layers.running_means import Means
from .bundle import Bundle


class SpotAdaptive(Bundle):
    """Spot-adaptive Knowledge Distillation (Song et al., TIP 2022, arXiv:2205.02399).

    Every sample also takes a route through both networks: at each spot a policy, which reads both embeddings, chooses
    the teacher's or the student's next block, with adapters where the route switches. A sample is distilled at those
    spots where its route takes the teacher's block. With R the cross-entropy of the routes and C that of the student,
    policy and adapters learn from

        gamma^sign(R - C) R + max(0, balance N - number of samples whose route ends in the teacher's logits)

    All of this follows the authors' code, where the terms are KD, with weight 1, and one other method, used with CE.

    Args:
        terms: The methods. At their spots, and at the logits, a route may switch between the networks.
        mode: "anti" distils where a route takes the student's block instead. "random", "always" and "never" decide
            without a policy and without routes. "joint" is adaptive, and also trains a copy of the teacher, on gamma
            times its cross-entropy and on the terms; R is then multiplied by gamma alone, and there is no balance.
        gamma: 1 in the code, but 2 for AT, VID and RKD, and on Tiny-ImageNet. Its scripts for random decisions and
            joint training multiply CE by it too.
        balance: The least share of samples to distil at the logits.
        temperature: Of the policy's straight-through Gumbel softmax; it scales gradients, not probabilities.
        prior: Initial value that the policy adds to its scores for the teacher's blocks. If omitted, 10 as in the code
            for networks of the same class with features of equal shape at every spot, else 0; always 0 with "joint".
        rate: The share of samples that "random" distils at each spot.
        fixed: Decisions fixed in advance, by the student's name of the spot: {"stage1": False, "logits": True}.
        agent_lr: Learning rate of policy and adapters, relative to the run's.
        agent_weight_decay: Of policy and adapters.
    """

    observations_caption = (
        "on, likely, changed: shares of samples that are distilled at each spot, that were expected to be, and that "
        "changed since the last epoch. routed top1: accuracy of the routes in %; routed loss: their cross-entropy. "
        "Other panels: parts of the loss."
    )
    per_image_caption = "Probability that an image is distilled at each spot."

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
            raise ValueError("terms must hold at least one method; name some, such as [KD(1.0), AT()]")
        self.mode, self.rate, self.fixed = mode, rate, dict(fixed or {})
        self.temperature, self.prior, self.agent_loss = temperature, prior, AgentLoss(gamma, balance, mode == "joint")
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
        self.places, self.column = line_up([s for _, term in self.named_terms() for s in term.spots], student, teacher)
        given = by_place(self.fixed, self.column, elsewhere={"always": True, "never": False}.get(self.mode))
        self.given = GivenDecisions(len(self.places), given, reverse=self.mode == "anti")
        self.decisions = Decisions(place_names(self.places), data)
        if self.mode == "joint":
            teacher = with_a_net_that_learns(teacher)
            self.teacher = teacher.net
        if self.is_routed:
            self.routes = Routes(student, teacher, self.places, data.image_size, fresh=self.mode == "joint")
            self.policy = Policy(
                *(student, teacher, len(self.places), self.temperature),
                prior=self.routes.usual_prior if self.prior is None else self.prior,
            )
        else:
            self.at_random = AtRandom(len(self.places), self.rate)
        agent = ["agent", "routed_loss", "routed_top1"] if self.is_routed else []
        self.means = Means([*self.terms, *(["teacher"] if self.mode == "joint" else []), *agent])

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> ()"""
        teacher = self.taught_by(student, teacher, batch)
        made = (self.policy if self.is_routed else self.at_random)(student, teacher, batch)
        gates, probability = self.given(made[0]), self.given(made[1])
        active = self.given.active(gates).detach()
        at_spots = {spot: self.given.decisions.get(i, active[:, i]) for spot, i in self.column.items()}
        losses, measured = self.distil(student, teacher, at_spots, batch), {}
        if self.is_routed:
            routed = self.routes(student, teacher, gates, batch)
            losses["agent"] = self.agent_loss(routed, student.logits, batch.labels, gates)
            measured = scores(routed, batch.labels)
        if self.mode == "joint":
            losses["teacher"] = self.agent_loss.gamma * F.cross_entropy(teacher.logits, batch.labels)
        self.decisions.record(active, probability, batch)
        self.means.record(losses | measured)
        return torch.stack(list(losses.values())).sum()

    def taught_by(self, student: Outputs, teacher: Outputs, batch: Batch) -> Outputs:
        """Return the outputs of the teacher's trained copy if there is one, else the teacher's."""
        if self.teacher is None:
            return teacher
        with precision_of(student):
            return self.teacher.forward_batch(batch)

    def own_groups(self) -> Sequence[Group]:
        if not self.is_routed:
            return []
        agent = Group([*self.policy.parameters(), *self.routes.parameters()], self.agent_lr, self.agent_weight_decay)
        return [agent] if self.teacher is None else [agent, Group(list(self.teacher.parameters()))]

    def begin_epoch(self, epoch: int) -> None:
        super().begin_epoch(epoch)
        self.decisions.begin_epoch()
        self.means.begin_epoch()

    def observations(self) -> Mapping[str, Tensor]:
        return {**self.means.read(), **self.decisions.read(), **super().observations()}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        inside = super().per_image(student, teacher, batch)
        if not self.is_routed:
            return inside
        made = self.policy(student, self.taught_by(student, teacher, batch), batch)
        likely = self.given.active(self.given(made[1]))
        return {**{f"likely/{place}": likely[:, i] for i, place in enumerate(self.decisions.places)}, **inside}
