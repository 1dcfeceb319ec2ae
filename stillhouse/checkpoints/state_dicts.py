"""Find a network's weights among a file's tensors: prefixes of names, averages, tensors to leave out."""

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
        unexpected: Names among them that the network does not have.
        notes: A clause for each choice and each omission.
    """

    values: dict[str, Tensor]
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Entry:
    name: str  # its path of keys, joined
    container: str  # that of the dictionary around it, with a dot at the end
    value: Tensor


def by_itself(path: Path, tensors: Tensors, key: str | None = None) -> dict[str, Tensor]:
    """Return the state dict in a file without knowing its network.

    Raises:
        ValueError: If nothing in the file looks like one.
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

    Names may have any prefix, in any dictionary of the file. If several sets fit, the network's own weights win over
    their average (EMA), and a student's over its teacher's.

    Args:
        own: The state dict of the network to fill.
        key: Part of the prefix of the names to take: "state_dict_ema", "teacher".
        option: The option that sets the key, for messages.

    Raises:
        ValueError: If no name in the file, or none with this key, is one of the network's.
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
    """Return True for entries that a file may lack: counters, and tables that follow from the network's sizes."""
    return name.rpartition(".")[2] in _TABLES


class _Candidate:
    """The entries of a file with one prefix, compared with a network's.

    Args:
        within: Prefix that the network's names have and the file's do not, such as "model.".
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
        return self.prefix.removesuffix(".") or "the top level"

    def repeats(self, other: _Candidate) -> bool:
        """Return True if these are the same tensors under other names."""
        return all(e.value.data_ptr() == other.values[name].value.data_ptr() for name, e in self.values.items())

    def weights(self, others: Iterable[_Candidate], option: str) -> Weights:
        notes = []
        extra = self.prefix.removeprefix(self.container) if self.prefix.startswith(self.container) else ""
        if any(part not in _PREFIXES for part in extra.removesuffix(".").split(".") if part):
            notes.append(f"the prefix {extra.removesuffix('.')} was removed from its names")
        if self.within:
            notes.append(f"the network's prefix {self.within.removesuffix('.')} was added to its names")
        if alternatives := list(dict.fromkeys(one.shown for one in others)):
            notes.append(
                f"the weights under {self.shown} are used, those under {' and '.join(alternatives)} left out "
                f"(choose with {option})"
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
    """Return a file's entries by joined keys; parts that compiling or sharding inserted are left out."""
    inside = _INSIDE - {part for name in own for part in name.split(".")}

    def joined(keys: Sequence[str]) -> str:
        return ".".join(part for part in ".".join(keys).split(".") if part not in inside)

    entries = {}
    for keys, value in tensors.items():
        container = joined(keys[:-1])
        entries[joined(keys)] = _Entry(joined(keys), f"{container}." if container else "", value)
    return entries


def _prefixes(entries: Mapping[str, _Entry], own: Mapping[str, Tensor]) -> Iterable[tuple[str, str]]:
    """Return each prefix of the network's names in the file, with the part of its own names that the file lacks."""
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
    """Return True if a key is one or more whole parts of a prefix: "ema" of "ema.module.", not of "schema."."""
    return f".{key.strip('.')}." in f".{prefix.removesuffix('.')}."


def _grouped(names: Sequence[str]) -> str:
    """Name a few of many entries, grouped by module."""
    groups = Counter(name.rpartition(".")[0] or name for name in names)
    shown = ", ".join(list(groups)[:_SHOWN])
    return f"{len(names)} of its entries ({shown}{', ...' if len(groups) > _SHOWN else ''})"
