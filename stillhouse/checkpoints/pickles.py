"""Checks of untrusted pickles and archives before they are loaded: refuse those that would take too long or crash."""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

MOST_STEPS = 2_000_000  # to read a pickle; CIFAR-100's take a fifth of this
MOST_PARTS = 1_000_000  # of a tuple, including those of the tuples in it: hashing it takes a step for each
DEEPEST = 100  # nested tuples; hashing thousands would crash Python
MOST_UNPACKED = 20  # times the size of an archive; weights hardly compress
_PICKLES = 5  # in a file of PyTorch's oldest format: number, version, system, content, keys

_HOLDS = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "FROZENSET", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST"}
_FILLS = {"BUILD", "APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"}
_MAKES = {"BUILD", "EMPTY_TUPLE", "LIST", "EMPTY_LIST", "DICT", "EMPTY_DICT", "EMPTY_SET", *_HOLDS}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}, {"GET", "BINGET", "LONG_BINGET"}
_Size = tuple[int, int]  # parts of an object, and depth of nested tuples in it
_MARK: _Size = (0, 0)
_PLAIN: _Size = (1, 0)
_PUSHES: dict[str, list[_Size]] = {  # operations that pop nothing: most of those in a file
    one.name: [_MARK if kind is pickletools.markobject else _PLAIN for kind in one.stack_after]
    for one in pickletools.opcodes
    if not one.stack_before and one.name not in (*_PUTS, *_GETS, *_MAKES)
}
_TOO_MUCH = "it has more parts than real data ever has: the file may be malicious"


class TooMuch(pickle.UnpicklingError):
    """A pickle would take for ever to read, or would crash Python; the message is a clause that says why."""


def look_over(content: bytes | IO[bytes], most_made: int | None = None) -> None:
    """Go through all operations of a pickle without executing them.

    A few bytes can describe a tuple that holds another tuple twice, which holds another twice, and so on sixty times.

    Args:
        most_made: Largest number of lists, tuples, dictionaries and objects that it may create.

    Raises:
        TooMuch: If it has too many parts.
        pickle.UnpicklingError, ValueError, IndexError, KeyError: If it is damaged.
    """
    stack: list[_Size] = []
    memo: dict[Any, _Size] = {}
    made = 0
    for step, (operation, value, _) in enumerate(pickletools.genops(content)):
        name = operation.name
        if step > MOST_STEPS:
            raise TooMuch(_TOO_MUCH)
        if name in _PUSHES:
            stack += _PUSHES[name]
        elif name in _PUTS:
            memo[len(memo) if name == "MEMOIZE" else value] = stack[-1]
        elif name in _GETS:
            stack.append(memo[value])
        else:
            made += name in _MAKES
            if most_made is not None and made > most_made:
                raise TooMuch(_TOO_MUCH)
            stack += _result(operation, _taken(operation, stack))


def _taken(operation: pickletools.OpcodeInfo, stack: list[_Size]) -> list[_Size]:
    """Pop an operation's operands from the stack, in order, without the mark."""
    before, taken = operation.stack_before or [], list[_Size]()
    count = len(before)
    if pickletools.markobject in before or (operation.name == "POP" and stack[-1] == _MARK):
        count = before.index(pickletools.markobject) if pickletools.markobject in before else 0
        while (top := stack.pop()) != _MARK:
            taken.append(top)
    return [stack.pop() for _ in range(count)][::-1] + taken[::-1]


def _result(operation: pickletools.OpcodeInfo, taken: Sequence[_Size]) -> list[_Size]:
    """Return what an operation pushes onto the stack."""
    name, after = operation.name, operation.stack_after or []
    if name in _FILLS or name == "DUP":
        return [taken[0]] * len(after)
    if name not in _HOLDS:
        return [_PLAIN] * len(after)
    parts, depth = 1 + sum(one[0] for one in taken), 1 + max((one[1] for one in taken), default=0)
    if parts > MOST_PARTS or depth > DEEPEST:
        raise TooMuch("it nests tuples more deeply than real data ever does: the file may be malicious")
    return [(parts, depth)]


def look_into(path: Path) -> None:
    """Check the pickles in a PyTorch file, an archive or one in the older format.

    Raises:
        TooMuch: If reading it would take for ever, or all memory.
    """
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            _look_over_all(file)
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > MOST_UNPACKED * path.stat().st_size:
            raise TooMuch(f"it unpacks to {unpacked / 1e9:.3g} GB: the file may be malicious")
        for member in members:
            if member.filename.endswith("data.pkl"):
                with archive.open(member) as content:
                    look_over(content.read())


def _look_over_all(file: BufferedReader) -> None:
    for _ in range(_PICKLES):
        look_over(file)
        if not file.peek(1):  # one pickle alone: PyTorch says what is in it
            return
