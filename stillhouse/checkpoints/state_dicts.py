"""Find a network's weights among a file's tensors, and their names: prefixes, averages, what is left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

Tensors = Mapping[tuple[str, ...], Tensor]

_WRAPPERS = ("model", "state_dict", "model_state_dict", "net", "student")  # {"model": weights}, {"state_dict": ...}
_PREFIXES = ("module", "_orig_mod")  # DataParallel and DistributedDataParallel; torch.compile
_INSIDE = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # compiled or sharded parts
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?|avg|shadow|momentum|target|teacher)(_|\d|$)", re.IGNORECASE)
_COUNTERS = {"total_ops", "total_params", "n_averaged", "num_updates"}  # thop's; of averaged networks
_TABLES = {"num_batches_tracked", "relative_position_index", "relative_coords_table", "attn_mask"}  # not always saved
_AUXILIARY = re.compile(r"aux(logits|iliary)?(_?(classifier|head|logits|fc))?_?\d*", re.IGNORECASE)
_SHOWN = 3  # names in a sentence


@dataclass
class Weights:
    """A network's weights as a file has them.

    Attributes:
        values: By the network's own names.
        missing: Names that the network has and the file does not.
        unexpected: Names that stand among them and that the network does not have.
        notes: What was chosen and what was left out, a clause each.
    """

    values: dict[str, Tensor]
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    name: str  # all keys that lead to it, joined
    container: str  # those of the dictionaries around it, with a dot behind
    value: Tensor


def by_itself(path: Path, tensors: Tensors, key: str | None = None) -> dict[str, Tensor]:
    """Return the state dict in a file without asking which network it is for.

    Raises:
        ValueError: If nothing in it looks like one.
    """
    containers = list(dict.fromkeys(keys[:-1] for keys in tensors))
    usual = [keys for keys in containers if all(part in _WRAPPERS for part in keys)]
    chosen = [keys for keys in containers if _has_part(".".join(keys), key)] if key else usual
    if not chosen:
        held = ", ".join(".".join(keys) for keys in containers[:_SHOWN])
        raise ValueError(
            f"{path} holds tensors under {held}, but no weights under any of {key or ', '.join(_WRAPPERS)}"
        )
    weights = {keys[-1]: value for keys, value in tensors.items() if keys[:-1] == chosen[0]}
    while prefix := next((p for p in _PREFIXES if all(name.startswith(f"{p}.") for name in weights)), None):
        weights = {name.removeprefix(f"{prefix}."): value for name, value in weights.items()}
    return weights


def choose(
    path: Path, tensors: Tensors, own: Mapping[str, Tensor], key: str | None = None, option: str = "--weights_key"
) -> Weights:
    """Find a network's weights in a file.

    Names may stand behind any prefix, in any dictionary of the file. Of several sets that fit, those of the network
    itself win over their average (EMA), and a student's over its teacher's.

    Args:
        own: The state dict of the network that is to be filled.
        key: A part of what stands before the names that are to be taken: "state_dict_ema", "teacher".
        option: The option that gives the key, for messages.

    Raises:
        ValueError: If no name of the file is one of the network's, or none with this key.
    """
    entries = _entries(tensors, own)
    found = [_Candidate(prefix, within, entries, own) for prefix, within in _prefixes(entries, own)]
    if not found:
        theirs, ours = ", ".join(list(entries)[:_SHOWN]), ", ".join(list(own)[:_SHOWN])
        raise ValueError(
            f"{path} holds the weights of another network: its names are {theirs}, ... and the network's are {ours}, "
            f"...; is it the same network?"
        )
    whole = [one for one in found if one.is_whole]
    if key:
        found = [one for one in found if _has_part(one.prefix, key)]
        if not found:
            places = " and ".join(one.shown for one in whole) or "another network's names only"
            raise ValueError(f"{option} {key}: {path} holds no such weights of this network; it has {places}")
    best = max(found, key=lambda one: one.rank)
    others = [one for one in whole if one is not best and not one.repeats(best)] if not key else []
    return best.weights(others, option)


def is_optional(name: str) -> bool:
    """Tell whether a network is whole without this entry: a counter, or a table that follows from its sizes."""
    return name.rpartition(".")[2] in _TABLES


class _Candidate:
    """The entries of a file behind one prefix, compared with a network's.

    Args:
        within: What the network's own names have before those of the file, such as "model.".
    """

    def __init__(self, prefix: str, within: str, entries: Mapping[str, _Entry], own: Mapping[str, Tensor]):
        self.prefix, self.within = prefix, within
        files = {name: prefix + name.removeprefix(within) for name in own}
        self.values = {name: entries[file] for name, file in files.items() if file in entries}
        self.missing = [name for name in own if name not in self.values and not is_optional(name)]
        fitting = sum(entry.value.shape == own[name].shape for name, entry in self.values.items())
        self.is_whole = not self.missing
        self.container = next(iter(self.values.values())).container
        beside = [entry.name for entry in entries.values() if entry.container == self.container]
        taken = {entry.name for entry in self.values.values()}
        self.rest = [name for name in beside if name.startswith(prefix) and name not in taken]
        self.outside = [name.removeprefix(self.container) for name in beside if not name.startswith(prefix)]
        parts = prefix.split(".")
        usual = [-_WRAPPERS.index(part) for part in parts if part in _WRAPPERS] or [-len(_WRAPPERS)]
        is_average = any(_AVERAGED.search(part) for part in parts)
        complete = (self.is_whole, self.is_whole and fitting == len(self.values), len(self.values))
        self.rank = (*complete, not is_average, usual[0], -len(parts))

    @property
    def shown(self) -> str:
        return self.prefix.removesuffix(".") or "the top"

    def repeats(self, other: _Candidate) -> bool:
        """Tell whether these are the same tensors under another name."""
        return all(e.value.data_ptr() == other.values[name].value.data_ptr() for name, e in self.values.items())

    def weights(self, others: Iterable[_Candidate], option: str) -> Weights:
        notes = []
        behind = self.prefix.removeprefix(self.container) if self.prefix.startswith(self.container) else ""
        if any(part not in _PREFIXES for part in behind.removesuffix(".").split(".") if part):
            notes.append(f"the prefix {behind.removesuffix('.')} was taken off its names")
        if self.within:
            notes.append(f"the network's prefix {self.within.removesuffix('.')} was put before its names")
        if alternatives := list(dict.fromkeys(one.shown for one in others)):
            notes.append(
                f"those under {self.shown} are taken, those under {' and '.join(alternatives)} left out "
                f"({option} chooses)"
            )
        if self.outside:
            notes.append(f"left out {_grouped(self.outside)}")
        leftover: list[str] = []
        unexpected: list[str] = []
        for name in self.rest:
            parts = name.removeprefix(self.prefix).split(".")
            is_known = parts[-1] in _COUNTERS | _TABLES or any(_AUXILIARY.fullmatch(part) for part in parts)
            (leftover if is_known else unexpected).append(name.removeprefix(self.prefix))
        if said := [name for name in leftover if not is_optional(name)]:
            notes.append(f"left out {_grouped(said)}, which the network does not have")
        values = {name: entry.value for name, entry in self.values.items()}
        return Weights(values, self.missing, unexpected, notes)


def _entries(tensors: Tensors, own: Mapping[str, Tensor]) -> dict[str, _Entry]:
    """Of a file by the joined keys; parts that compiling or sharding put inside are left out."""
    inside = _INSIDE - {part for name in own for part in name.split(".")}

    def joined(keys: Sequence[str]) -> str:
        return ".".join(part for part in ".".join(keys).split(".") if part not in inside)

    entries = {}
    for keys, value in tensors.items():
        container = joined(keys[:-1])
        entries[joined(keys)] = _Entry(joined(keys), f"{container}." if container else "", value)
    return entries


def _prefixes(entries: Mapping[str, _Entry], own: Mapping[str, Tensor]) -> Iterable[tuple[str, str]]:
    """Return all that stands before names of the network in the file, and what of its own names is left off for it."""
    first = next(iter(own), "").split(".")[:-1]
    common = ["".join(f"{part}." for part in first[:count]) for count in range(len(first) + 1)]
    for within in (prefix for prefix in common if all(name.startswith(prefix) for name in own)):
        wanted = {name.removeprefix(within) for name in own}
        counts = Counter(
            name[:start]
            for name in entries
            for start in (0, *(match.end() for match in re.finditer(r"\.", name)))
            if name[start:] in wanted
        )
        if counts:
            return [(prefix, within) for prefix in counts]
    return []


def _has_part(prefix: str, key: str) -> bool:
    """Tell whether a key is one or more whole parts of a prefix: "ema" of "ema.module.", not of "schema."."""
    return f".{key.strip('.')}." in f".{prefix.removesuffix('.')}."


def _grouped(names: Sequence[str]) -> str:
    """Name a few of many entries, by what they belong to."""
    groups = Counter(name.rpartition(".")[0] or name for name in names)
    shown = ", ".join(list(groups)[:_SHOWN])
    return f"{len(names)} of its entries ({shown}{', ...' if len(groups) > _SHOWN else ''})"
