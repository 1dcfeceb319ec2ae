"""Groups of comparable runs: the same images, networks and protocol, and the same teacher for equal seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev

from ..spelling import counted
from .intervals import Difference
from .labels import label
from .published import Published
from .records import RunRecord
from .settings import Settings, protocol, shown, teaching

ALONE = "networks by themselves"


@dataclass(frozen=True)
class Entry:
    """A method in a group.

    Args:
        name: Name for display.
        runs: One run per seed, ordered by seed.
        to_baseline: Difference to the baseline; None for the baseline, and if no seed is common.
        published: Published result, if any.
    """

    name: str
    runs: Sequence[RunRecord]
    to_baseline: Difference | None = None
    published: Published | None = None

    @property
    def by_seed(self) -> dict[int, RunRecord]:
        return {run.seed: run for run in self.runs}

    @property
    def top1(self) -> float:
        """The mean over the last epochs."""
        return fmean(run.top1 for run in self.runs)

    @property
    def best(self) -> float:
        """The mean over the best epochs."""
        return fmean(run.best for run in self.runs)

    @property
    def std(self) -> float | None:
        """The standard deviation over seeds; None for one seed."""
        return stdev(run.top1 for run in self.runs) if len(self.runs) > 1 else None

    @property
    def recipe(self) -> str | None:
        """The published settings of its runs; None unless all have the same."""
        named = {run.recipe for run in self.runs}
        return named.pop() if len(named) == 1 else None

    @property
    def gap(self) -> float | None:
        """Points above the published number, at the same epoch if that is known."""
        if self.published is None:
            return None
        return (self.best if self.published.measured == "best" else self.top1) - self.published.top1

    def mean(self, name: str) -> float | None:
        """Return the mean of a number in the results; None if a run does not have it."""
        found = [run.number(name) for run in self.runs]
        known = [value for value in found if value is not None]
        return fmean(known) if len(known) == len(found) else None


@dataclass(frozen=True)
class Group:
    """Runs that are comparable.

    Args:
        data: Name of the data.
        student: Name of the trained network.
        teacher: Name of its teacher; None for networks by themselves.
        settings: The protocol.
        entries: Methods; for networks by themselves, the networks.
        teachers: Runs of its teachers, if they are among the given runs.
        baseline: Name of the entry that the others are compared with.
        differs: Settings that differ from those of groups with the same networks and data.
        notes: Sentences that a reader should know.
    """

    data: str
    student: str
    teacher: str | None
    settings: Settings
    entries: Sequence[Entry]
    teachers: Sequence[RunRecord] = ()
    baseline: str | None = None
    differs: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def title(self) -> str:
        """The data, the networks, and the settings that differ from groups with the same ones."""
        pair = self.student if self.teacher is None else f"{self.teacher} -> {self.student}"
        words = ", ".join(f"{name} {shown(self.settings.get(name))}" for name in self.differs)
        return f"{self.data}: {pair}" + (f" ({words})" if words else "")

    @property
    def runs(self) -> list[RunRecord]:
        return [run for entry in self.entries for run in entry.runs]

    @property
    def base(self) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == self.baseline), None)


_Key = tuple[object, ...]


def grouped(records: Sequence[RunRecord]) -> list[Group]:
    """Sort runs into comparable groups, larger ones first.

    A network that learned by itself is in every group whose students are trained like it. A run that is neither a
    baseline nor a teacher of any group is in a group of networks by themselves.
    """
    images = _images(records)
    alone = [record for record in records if not record.is_taught]
    drafts = _by_key([record for record in records if record.is_taught], lambda run: _taught_key(run, images))
    parts = [part for runs in drafts.values() for part in _of_one_teacher(runs)]
    baselines = _by_key(alone, lambda run: (images[run.folder], run.student, _items(protocol(run))))
    used: set[Path] = set()
    found = []
    for runs in parts:
        own = baselines.get((images[runs[0].folder], runs[0].student, _items(protocol(runs[0]))), [])
        teachers = [one for one in alone if any(_taught_by(run, one) for run in runs)]
        used |= {run.folder for run in (*own, *teachers)}
        settings = {**protocol(runs[0]), "images": images[runs[0].folder][1], **teaching(runs[0])}
        hashes = {run.teacher_hash for run in runs}
        settings |= {"teacher's weights": str(*hashes)[:8]} if len(hashes) == 1 else {}
        first = runs[0]
        found.append(_group(first.data, first.student, first.teacher, settings, [*own, *runs], teachers))
    rest = [run for run in alone if run.folder not in used]
    for runs in _by_key(rest, lambda run: (images[run.folder], _items(protocol(run)))).values():
        settings = {**protocol(runs[0]), "images": images[runs[0].folder][1]}
        networks = sorted({run.student for run in runs})
        name = networks[0] if len(networks) == 1 else ALONE
        found.append(_group(runs[0].data, name, None, settings, runs, []))
    found = [replace(one, differs=_differs(one, found)) for one in found]
    return sorted(found, key=lambda one: (one.teacher is None, -len(one.runs), one.title))


def _group(
    data: str,
    student: str,
    teacher: str | None,
    settings: Settings,
    runs: Sequence[RunRecord],
    teachers: Sequence[RunRecord],
) -> Group:
    """Sort runs into entries: by method, or by network if there is no teacher."""
    by_method = _by_key(runs, lambda run: run.methods if teacher else (run.student,))
    names = {key: label(runs[0].methods) if teacher else runs[0].student for key, runs in by_method.items()}
    count = Counter(names.values())
    entries, notes = [], []
    for key, several in by_method.items():
        name = names[key] if count[names[key]] == 1 else " + ".join(map(str, key))
        by_seed = _by_key(several, lambda run: (run.seed,))
        for same in by_seed.values():
            if len(same) > 1:
                left = ", ".join(run.folder.name for run in same[1:])
                notes.append(f"{name} was trained {len(same)} times with seed {same[0].seed}: {same[0].folder.name} is "
                             f"shown, {left} left out")  # fmt: skip
        entries.append(Entry(name, [same[0] for _, same in sorted(by_seed.items())]))
    return Group(data, student, teacher, settings, entries, teachers, notes=[*notes, *_notes(entries)])


def _notes(entries: Sequence[Entry]) -> list[str]:
    """Return notes about missing seeds and different machines."""
    seeds = sorted({run.seed for entry in entries for run in entry.runs})
    notes = []
    for entry in entries:
        if missing := [str(seed) for seed in seeds if seed not in entry.by_seed]:
            notes.append(f"{entry.name} lacks seed{'s' * (len(missing) > 1)} {', '.join(missing)}")
    for what in ("device", "torch"):
        found = Counter(str(run.result.get(what)) for entry in entries for run in entry.runs)
        if len(found) > 1:
            several = ", ".join(f"{name} ({counted(count, 'run')})" for name, count in found.most_common())
            notes.append(
                f"not all were trained on the same {what}: {several}; runs with equal seeds agree only up to rounding"
            )
    return notes


def _images(records: Sequence[RunRecord]) -> dict[Path, tuple[str, str]]:
    """Return the name of each run's data and a hash of its images, by folder.

    Runs of version 0.1 do not have the hash; they get that of other runs with this name and these classes, if all of
    those have the same.
    """
    known: dict[_Key, set[str]] = {}
    for run in records:
        if "data_hash" in run.result:
            known.setdefault(_looks(run), set()).add(str(run.result["data_hash"]))
    found = {}
    for run in records:
        hashes = {str(run.result["data_hash"])} if "data_hash" in run.result else known.get(_looks(run), set())
        found[run.folder] = (run.data, min(hashes)[:8] if len(hashes) == 1 else "unknown")
    return found


def _looks(run: RunRecord) -> _Key:
    return (run.data, run.result.get("image_size"), *run.classes)


def _taught_key(run: RunRecord, images: Mapping[Path, _Key]) -> _Key:
    return (images[run.folder], run.student, run.teacher, _items(protocol(run)), _items(teaching(run)))


def _of_one_teacher(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Split runs whose teachers have different weights, unless each seed has its own teacher."""
    by_seed = _by_key(runs, lambda run: (run.seed,))
    if all(len({run.teacher_hash for run in same}) == 1 for same in by_seed.values()):
        return [list(runs)]
    return list(_by_key(runs, lambda run: (run.teacher_hash,)).values())


def _taught_by(run: RunRecord, other: RunRecord) -> bool:
    if run.teacher_hash is not None and other.result.get("weights_hash") == run.teacher_hash:
        return True
    return str(run.config["teacher"]).rstrip("/").rpartition("/")[2] == other.folder.name


def _differs(group: Group, groups: Iterable[Group]) -> list[str]:
    """Return the names of settings that differ in another group with the same data and networks."""
    alike = [one for one in groups if one.data == group.data and one.student == group.student and one is not group]
    alike = [one for one in alike if None in (one.teacher, group.teacher) or one.teacher == group.teacher]
    known = group.settings
    return [name for name in known if any(name in one.settings and one.settings[name] != known[name] for one in alike)]


def _by_key(runs: Iterable[RunRecord], key: Callable[[RunRecord], _Key]) -> dict[_Key, list[RunRecord]]:
    found: dict[_Key, list[RunRecord]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return found


def _items(settings: Mapping[str, object]) -> _Key:
    return tuple(settings.items())
