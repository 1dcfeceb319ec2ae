"""Labels as tables write them (names, numbers, truth values) become classes numbered from 0, or are refused.

A label that is missing is None, an empty text, NaN or -1. Class names in the file give the order of the classes; other
names are sorted. Numbers from 0 on are the classes; other numbers become the names of classes, in their order, with a
note. Nothing is mapped by its place in one file where another file says otherwise.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ...spelling import counted
from ..folders.inventory import some
from ..splits import SPLITS, SplitName

Label = str | int | None
NO_CLASS = -1
_FEW = 100  # classes; so many may be as many as there are images


@dataclass(frozen=True)
class Labels:
    """Labels of all splits as positions in `classes`; NO_CLASS where an image has none."""

    classes: tuple[str, ...]
    by_split: dict[SplitName, list[int]]
    notes: list[str] = field(default_factory=list)


def plain(value: object, names: Sequence[str], where: str) -> Label:
    """Return a label as a name, a number, or None where it is missing.

    Args:
        value: As a table holds it.
        names: Class names of the file that it is from, in the order of their numbers; empty if there are none.
        where: The column and the file, for messages.

    Raises:
        ValueError: If it is not a label of one class.
    """
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value.strip()) or None
    if not isinstance(value, int):
        raise ValueError(f"{where} holds {_short(value)}; it must hold one class for each image, by name or number")
    if value == -1 or not names:
        return None if value == -1 else value
    if not 0 <= value < len(names):
        raise ValueError(_beyond(value, names, where))
    return names[value]


def _beyond(label: int, names: Sequence[str], where: str) -> str:
    return f"{where} holds the label {label}, but the {len(names)} class names are for 0 to {len(names) - 1}"


def _short(value: object) -> str:
    if isinstance(value, list | tuple | dict):
        return f"{len(value)} values in one row (several labels an image?)"
    return f"{value!r}"[:60]


def classes_of(values: Mapping[SplitName, Sequence[Label]], names: Sequence[str], where: str) -> Labels:
    """Number the classes of a data set.

    Args:
        values: The labels of each split, see `plain`.
        names: Class names in their order, of the training files; empty if there are none.
        where: The data set, for messages.

    Raises:
        ValueError: If the labels make no classes.
    """
    missing = {split: sum(value is None for value in found) for split, found in values.items()}
    first = next((split for split in SPLITS if missing.get(split, 0) < len(values.get(split, ()))), None)
    if first is None:
        raise ValueError(f"{where} holds no labels: all are missing (empty or -1)")
    main = values[first]
    used = {value for found in values.values() for value in found if value is not None}
    if names:
        classes, position, notes = _by_given_names(used, names, where)
    elif all(isinstance(value, int) for value in used):
        classes, position, notes = _by_numbers({value for value in used if isinstance(value, int)}, main, where)
    else:
        named = {value if isinstance(value, str) else str(value) for value in main if value is not None}
        classes = tuple(sorted(named))
        position, notes = {name: label for label, name in enumerate(classes)}, []
    _check_count(classes, main, where)
    by_split: dict[SplitName, list[int]] = {}
    for split, found in values.items():
        keys = [None if value is None else value if value in position else str(value) for value in found]
        unknown = sorted({str(key) for key in keys if key is not None and key not in position})
        if unknown:
            new = some(unknown)
            raise ValueError(f"{where}: {split} has classes that {first} does not have ({new}): rename or remove them")
        by_split[split] = [NO_CLASS if key is None else position[key] for key in keys]
    return Labels(classes, by_split, notes + _absent(classes, by_split, first))


def _by_given_names(
    used: Iterable[str | int], names: Sequence[str], where: str
) -> tuple[tuple[str, ...], dict[str | int, int], list[str]]:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{where} has two classes called {twice[0]!r}")
    position: dict[str | int, int] = {name: label for label, name in enumerate(names)}
    numbers = sorted(value for value in used if isinstance(value, int))
    if numbers and not 0 <= numbers[0] <= numbers[-1] < len(names):
        wrong = numbers[0] if numbers[0] < 0 else numbers[-1]
        raise ValueError(_beyond(wrong, names, where))
    notes = ["labels that are numbers are positions in the class names of the other files"] if numbers else []
    return tuple(names), position | {number: number for number in numbers}, notes


def _by_numbers(
    used: set[int], main: Sequence[Label], where: str
) -> tuple[tuple[str, ...], dict[str | int, int], list[str]]:
    lowest, highest = min(used), max(used)
    if lowest < 0:
        raise ValueError(f"{where} holds the label {lowest}; class numbers begin at 0, and -1 stands for no label")
    if lowest == 0 and highest < 2 * len(used):
        return tuple(map(str, range(highest + 1))), {number: number for number in used}, []
    if lowest == 0 and highest >= max(_FEW, 2 * len(main)):
        raise ValueError(
            f"{where} holds {len(used)} different labels, and numbers up to {highest:,}: they are not class numbers"
        )
    numbers = sorted(used)
    how = f"begin at {lowest}" if lowest else f"leave out {highest + 1 - len(numbers)} numbers"
    classes = tuple(str(number) for number in numbers)
    note = f"labels {how}: the {len(classes)} classes are called {some(classes)}, and numbered from 0"
    return classes, {number: label for label, number in enumerate(numbers)}, [note]


def _check_count(classes: Sequence[str], main: Sequence[Label], where: str) -> None:
    if len(classes) < 2:
        raise ValueError(f"{where} has one class ({classes[0]}); at least two are needed")
    different = len({value for value in main if value is not None})
    if different > _FEW and different > len(main) / 2:
        raise ValueError(
            f"{where} holds {different:,} different labels for {len(main):,} images: they are not classes; name "
            "another column with --label_column"
        )


def _absent(classes: Sequence[str], by_split: Mapping[SplitName, list[int]], first: SplitName) -> list[str]:
    notes = []
    for split, labels in by_split.items():
        present = set(labels) - {NO_CLASS}
        if not present:
            continue
        absent = [name for label, name in enumerate(classes) if label not in present]
        missing = labels.count(NO_CLASS)
        if absent:
            then = "no network can learn them" if split == first == "train" else "they are not measured"
            notes.append(
                f"{split} has no images of {len(absent)} of the {len(classes)} classes ({some(absent)}): {then}"
            )
        if missing:
            notes.append(f"left out {counted(missing, f'{split} image')} of {len(labels):,} without a label")
    return notes
