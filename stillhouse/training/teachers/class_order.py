"""Orders of classes: the data's, and that of a network trained with the same classes in another order."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

MOST = 1000  # classes, at most, for which the best order is sought
_LARGEST = 1 << 26  # bytes of a file with their names
_SHOWN = 4  # classes in a sentence


def read_classes(option: str, value: str, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes of a network in the order of its outputs.

    Args:
        option: The option that set the value, for messages.
        value: `natural` (1, 2, 10) or `alphabetical` (1, 10, 2) for the data's own, or a file with one name per line.
        classes: Classes of the data.

    Raises:
        ValueError: If there is no such file, or a class of the data is not in it.
    """
    if value in ORDERS:
        return tuple(sorted(classes, key=ORDERS[value]))
    path = Path(value).expanduser()
    if not path.is_file():
        raise ValueError(f"{option} takes {', '.join(ORDERS)} or a file with one class name per line, not {value}")
    if not 0 < path.stat().st_size < _LARGEST:
        raise ValueError(f"{option}: {path} has {path.stat().st_size:,} bytes; it needs one class name per line")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{option}: {path} is not a text file in UTF-8 ({error})") from error
    names = tuple(line for line in lines if line)
    doubled = [name for name in dict.fromkeys(names) if names.count(name) > 1] if len(names) < 10 * MOST else []
    if doubled:
        raise ValueError(f"{option}: {path} names {doubled[0]!r} more than once")
    absent = [name for name in classes if plain(name) not in set(map(plain, names))]
    if absent:
        raise ValueError(
            f"{option}: {path} does not name {', '.join(absent[:_SHOWN])}; it needs every class of the data, with the "
            f"data's name for it, in the order of the network's outputs"
        )
    return names


def plain(name: str) -> str:
    """Return the Unicode form in which equal names are equal, however their accents were typed."""
    return unicodedata.normalize("NFC", name)


def order_of(theirs: Sequence[str], ours: Sequence[str]) -> list[int]:
    """Return the number of each of our classes among theirs, which contain all of ours."""
    numbers = {plain(name): number for number, name in enumerate(theirs)}
    return [numbers[plain(name)] for name in ours]


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts if part]


ORDERS: dict[str, Callable[[str], Any]] = {"natural": _natural, "alphabetical": str}


def accuracy_in(order: Sequence[int], predicted: Tensor, labels: Tensor) -> float:
    """Return the accuracy in percent of a network whose class `order[i]` is class i of the data."""
    ours = torch.full((max(order) + 1,), -1)
    ours[torch.tensor(list(order))] = torch.arange(len(order))
    return 100 * int((ours[predicted.cpu()] == labels.cpu()).sum()) / len(labels)


def usual_orders(classes: Sequence[str]) -> dict[str, list[int]]:
    """Return the orders in which other tools put these classes, by name, if they differ from the data's."""
    orders = {name: sorted(classes, key=key) for name, key in ORDERS.items()}
    return {name: order_of(order, classes) for name, order in orders.items() if order != list(classes)}


def best_order(predicted: Tensor, labels: Tensor, count: int) -> tuple[list[int], float]:
    """Return the one-to-one order with the highest accuracy, and that accuracy in percent.

    Args:
        predicted: (N,) top-1 predictions of the network.
        labels: (N,)
        count: Number of classes.
    """
    from scipy.optimize import linear_sum_assignment

    confusion = torch.zeros(count, count, dtype=torch.int64)
    confusion.index_put_((labels.cpu(), predicted.cpu()), torch.ones(len(labels), dtype=torch.int64), accumulate=True)
    ours, theirs = linear_sum_assignment(confusion.numpy(), maximize=True)
    right = int(confusion[torch.from_numpy(ours), torch.from_numpy(theirs)].sum())
    return [int(number) for number in theirs], 100 * right / len(labels)
