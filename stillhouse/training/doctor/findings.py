"""Findings from the norms of gradients: shares, terms that do nothing or swamp the others, balancing weights."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from ...spelling import rounded

if TYPE_CHECKING:
    from ...distillation import Distillation
    from ...method import Method
    from ..student import StudentTrainer
    from .gradients import Norms

HEADINGS = ("term of the loss", "gradient %", "to balance it", "warning")
IDLE, SWAMPING = 0.01, 0.98  # shares below and above which there is a warning; docs/comparisons.md says why


@dataclass(frozen=True)
class Finding:
    """One term of the loss over the steps that were looked at.

    Args:
        term: Its name.
        share: The mean of its share of the sum of all norms, from 0 to 1.
        balancing: A clause with the weight at which its gradient is as large as the mean of the others'; empty if there
            is none.
        is_idle: Its share is below `IDLE` in each look, and that is no intention.
        swamps: It is of the teacher, and its mean share is above `SWAMPING`.
    """

    term: str
    share: float
    balancing: str = ""
    is_idle: bool = False
    swamps: bool = False


def shares(norms: Norms) -> dict[int, dict[str, float]]:
    """Return each term's share of the sum of the norms, by step and term; steps without any gradient are left out."""
    totals = {step: sum(terms.values()) for step, terms in norms.items()}
    return {step: {name: norm / totals[step] for name, norm in norms[step].items()} for step in norms if totals[step]}


def findings(norms: Norms, distillation: Distillation) -> list[Finding]:
    """Return what the looks say about each term, in the order of the loss; nothing if there were none."""
    known = shares(norms)
    if not known:
        return []
    methods, warmed = dict(distillation.named_methods()), {name for name, _ in distillation.warmups}
    found = []
    for name in next(iter(known.values())):
        parts = [terms[name] for terms in known.values()]
        has_acted = max(parts) == 0 and name in warmed  # in a phase before
        is_idle = max(parts) < IDLE and not methods[name].ramps_up and not has_acted and methods[name].weight > 0
        factor = _balancing(norms, name)
        clause = "" if factor is None else _weighted(methods[name], factor)
        share = sum(parts) / len(parts)
        found.append(Finding(name, share, clause, is_idle, share > SWAMPING and methods[name].needs_teacher))
    return found


def _balancing(norms: Norms, name: str) -> float | None:
    """Return the factor at which a term's norm is the mean of the others': the median over the looks.

    Others that do next to nothing are not counted, unless all do.
    """
    factors = []
    for terms in norms.values():
        others = [norm for other, norm in terms.items() if other != name]
        others = [norm for norm in others if norm >= IDLE * sum(terms.values())] or others
        if terms[name] > 0 and sum(others) > 0:
            factors.append(sum(others) / len(others) / terms[name])
    return median(factors) if factors else None


def _weighted(method: Method, factor: float) -> str:
    """Return a method with another weight, as it is typed."""
    name = type(method).__name__
    if "weight" in inspect.signature(type(method).__init__).parameters:
        return f"{name}(weight={rounded(factor * method.weight)})"
    return f"{rounded(factor)} times the weight inside {name}"


def rows(norms: Norms, distillation: Distillation) -> list[tuple[str, float, str, str]]:
    """Return a row for each term: its name, its mean share in percent, the weight that would balance it, a warning."""
    return [(one.term, 100 * one.share, one.balancing, _verdict(one)) for one in findings(norms, distillation)]


def _verdict(one: Finding) -> str:
    if one.swamps:
        return "swamps the others"
    return "does next to nothing" if one.is_idle else ""


def in_words(found: Sequence[Finding]) -> str:
    """Return the shares in a clause."""
    return ", ".join(f"{one.term} {percent(one.share)}" for one in found)


def percent(share: float) -> str:
    """Return a share as people read it; a small one keeps a digit that is not 0."""
    value = 100 * share
    if value == 0 or value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.1 else "below 0.1 %"


def warnings(found: Sequence[Finding]) -> list[str]:
    """Return a clause for each term that does nothing or swamps the others."""
    lines = []
    for one in found:
        if one.swamps:
            lines.append(f"{one.term} swamps the other terms{_balanced(one)}")
        elif one.is_idle and not any(other.swamps for other in found):
            lines.append(f"{one.term} does next to nothing{_balanced(one)}")
    return lines


def _balanced(one: Finding) -> str:
    return f" ({one.balancing} would balance it)" if one.balancing else ""


def report(name: str, norms: Norms, distillation: Distillation) -> tuple[str, bool] | None:
    """Return a sentence about a student's terms, and True if it is a warning; None if nothing was measured."""
    found = findings(norms, distillation)
    if len(found) < 2:
        return None
    text = f"{name}: share of the gradient in its trunk, first {max(norms)} steps: {in_words(found)}"
    if problems := warnings(found):
        return f"{text}; {'; '.join(problems)}. Balanced is not always best", True
    return text, False


def told_of(trainer: StudentTrainer) -> tuple[str, bool] | None:
    """Return what `report` does after the last look or the last step, the first time that it is asked.

    Where looking failed, say why.
    """
    doctor = trainer.optimizer.doctor
    if doctor.is_told or not (doctor.obstacle or doctor.is_complete or trainer.is_done):
        return None
    doctor.is_told = True
    if doctor.obstacle and not doctor.norms:
        return f"{trainer.name}: the share of each term in the gradient is not measured: {doctor.obstacle}", False
    return report(trainer.name, doctor.norms, trainer.distillation)
