"""Comparison of finished runs: each method with a baseline, seed by seed, and with published results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..methods.parse import parse
from ..spelling import nearest
from .groups import Entry, Group, grouped
from .intervals import difference
from .labels import label
from .published import published_for
from .records import RunRecord

_ALONE = "CE"  # a network that learns only from labels


def compare(records: Sequence[RunRecord], baseline: str | None = None) -> list[Group]:
    """Sort finished runs into comparable groups, and compare the methods of each group.

    Args:
        baseline: Name of the method that the others are compared with, as in tables or as typed; by default the network
            by itself, or the first method if there is none.

    Raises:
        ValueError: If no group has that baseline.
    """
    groups = [_compared(group, baseline) for group in grouped(records)]
    if baseline is not None and not any(group.baseline for group in groups):
        known = list(dict.fromkeys(entry.name for group in groups for entry in group.entries))
        hint = nearest(baseline, known)
        raise ValueError(f"--baseline: there are no runs of {baseline!r}.{hint} There are: {'; '.join(known)}")
    return groups


def _compared(group: Group, wanted: str | None) -> Group:
    base = _baseline(group, wanted)
    entries = []
    for entry in sorted(group.entries, key=lambda one: (one is not base, one.name.lower())):
        common = [seed for seed in entry.by_seed if base is not None and base is not entry and seed in base.by_seed]
        gained = {seed: entry.by_seed[seed].top1 - base.by_seed[seed].top1 for seed in common} if base else {}
        published = published_for(entry.runs[0])
        entries.append(replace(entry, to_baseline=difference(gained) if gained else None, published=published))
    return replace(group, entries=entries, baseline=base.name if base else None)


def _baseline(group: Group, wanted: str | None) -> Entry | None:
    by_name = {entry.name: entry for entry in group.entries}
    if wanted is not None:
        return by_name.get(wanted) or by_name.get(_typed(wanted))
    if group.teacher is None:
        return None
    return by_name.get(_ALONE) or group.entries[0]


def _typed(methods: str) -> str:
    """Return the name in tables of methods typed as for `stillhouse distill`, "CE,KD"; "" if they are not methods."""
    try:
        return label([str(method) for method in parse(methods.replace(" + ", ", "))])
    except ValueError:
        return ""
