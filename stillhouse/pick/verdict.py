"""The outcome of a choice in words: the first, the second if it differs from it at all, and the faster of the two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..spelling import counted
from .candidates import Candidate


def verdict(found: Sequence[Candidate], order: Sequence[Candidate]) -> Iterator[str]:
    """Yield sentences about the best candidate and those that it may not differ from.

    Args:
        found: All candidates.
        order: Those that were trained to the end, the best first; at least one.
    """
    first = order[0]
    low, high = first.interval(first.last)
    yield (
        f"chosen: {first.name}: {first.top1[first.last]:.2f} % of {first.images:,} validation images after "
        f"{counted(first.last, 'epoch')} (95 % interval {low:.2f} to {high:.2f}), {first.latency.p95:.3g} ms"
    )
    if len(order) > 1:
        yield _beside(first, order[1])
    if early := [one for one in found if one.found.stop and one.is_within(first, one.last)]:
        yield _stopped(first, early)


def too_early(found: Sequence[Candidate], chance: float) -> str | None:
    """Return a sentence if candidates were stopped before they had learned anything; None if none was.

    Args:
        chance: Top-1 of guessing, in percent.
    """
    guessing = [one for one in found if one.found.stop and one.interval(one.last)[0] <= chance]
    if not guessing:
        return None
    when, verb = min(one.last for one in guessing), "was" if len(guessing) == 1 else "were"
    return (
        f"{len(guessing)} of {counted(len(found), 'candidate')} {verb} no better than chance when stopped, after "
        f"{counted(when, 'epoch')}: too early to tell; allow a longer --budget or name fewer --students"
    )


def _beside(first: Candidate, second: Candidate) -> str:
    """Return a sentence about the second."""
    end = first.last
    if second.is_within(first, end):
        said = "within that interval, so these images do not tell the two apart"
    else:
        said = "below that interval"
    return f"second: {second.name}: {second.top1[end]:.2f} %, {said}; {_faster(first, second)}"


def _faster(first: Candidate, second: Candidate) -> str:
    one, other = first.latency.p95, second.latency.p95
    if first.student == second.student:
        return "as fast, since it is the same network"
    if max(one, other) < 1.05 * min(one, other):
        return "about as fast"
    return f"{max(one, other) / min(one, other):.2g} times as {'fast' if other < one else 'slow'} ({other:.3g} ms)"


def _stopped(first: Candidate, early: Sequence[Candidate]) -> str:
    """Return a sentence about candidates that were stopped while they were as good as the first within its interval."""
    fastest = min(early, key=lambda one: one.latency.p95)
    said = (
        f"stopped early although within the interval of the chosen one's accuracy at that time: "
        f"{counted(len(early), 'candidate')}"
    )
    if fastest.latency.p95 < first.latency.p95 / 1.05:
        said += f", the fastest of them {fastest.name} ({fastest.latency.p95:.3g} ms)"
    return f"{said}; a longer --budget or more validation images (--validation) may tell"
