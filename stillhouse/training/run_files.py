"""The files of a run, read strictly: a damaged file is refused with a message, never partly read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from .teachers.weights_file import MODEL, STUDENT, weights_in

Row = dict[str, Any]  # a line of metrics.jsonl: names and numbers
_MEASURES = ("epoch", "phase", "lr", "loss", "top1", "top5", "test_loss", "agreement", "seconds")
_ALWAYS = frozenset(_MEASURES) - {"agreement"}  # in every row
_NUMBERS = ("top1", "top5", "test_loss", "best_top1")  # in every result
_MOST = 1 << 28  # bytes of a text file; a run's are a thousand times smaller
_MOST_BRACKETS = 5000  # in a file of options
_SHALLOW = 1000  # letters of its longest line, and its brackets
_MOST_OF_CONFIG, _MOST_ALIASES = 1 << 16, 20  # bytes of a file of options; its parts that are said to be there again
_CHECKSUMS = "checksums"  # in result.json, by file; results of version 0.1.0 have none
_CHECKED = (
    STUDENT,
    MODEL,
    "methods.safetensors",
    "best.safetensors",
    "predictions.safetensors",
    "metrics.jsonl",
)


def read_config(path: Path) -> dict[str, Any]:
    """Return the content of a config.yaml, or of another file with options.

    Raises:
        ValueError: If it is damaged, or so made that it would take for ever to read.
    """
    try:
        text = _text(path, _MOST_OF_CONFIG)
        if (brackets := text.count("[") + text.count("{")) > _MOST_BRACKETS:  # nested, they take YAML minutes
            raise ValueError(f"it has {brackets:,} brackets")
        if "*" in text and sum(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)) > _MOST_ALIASES:
            raise ValueError("its parts are repeated by aliases, which could make it endless")
        content = _parsed(text, brackets)
        if not isinstance(content, dict | None):
            raise ValueError(f"it holds a {type(content).__name__}")
    except RecursionError as error:
        raise ValueError(f"{path} is damaged (its brackets are nested too deep); restore it") from error
    except (yaml.YAMLError, ValueError) as error:
        why = "it is not YAML: " if isinstance(error, yaml.YAMLError) else ""
        raise ValueError(f"{path} is damaged ({why}{' '.join(str(error).split())[:300]}); restore it") from error
    return content or {}


def _parsed(text: str, brackets: int) -> object:
    """Return the content of YAML: by libyaml, ten times as fast, where it is certain that nothing is nested deep.

    Deep nesting would overflow the stack of libyaml's loader. Every level takes a bracket or a further column.
    """
    longest = max(map(len, text.splitlines()), default=0)
    if yaml.__with_libyaml__ and longest + brackets <= _SHALLOW:
        with suppress(yaml.YAMLError):  # the other loader says better why
            return yaml.load(text, yaml.CSafeLoader)
    return yaml.safe_load(text)


def loss_terms(row: Mapping[str, object]) -> list[str]:
    """Return the columns that add up to the loss; those named METHOD.NAME are observations of a method."""
    return [name for name in row if name not in _MEASURES and "." not in name]


def dump_rows(rows: Iterable[Row]) -> str:
    """Return the content of metrics.jsonl."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def read_rows(folder: Path) -> list[Row]:
    """Return a run's measurements, one row per epoch; empty if there are none yet.

    Raises:
        ValueError: If they are not rows of epochs 1, 2, ... with a number in each column.
    """
    path = folder / "metrics.jsonl"
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):  # stopped in its first epoch
        return []
    rows = []
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        row = _parse(path, line)
        if row.get("epoch") != number:
            raise _damaged(path, f"line {number} is for epoch {str(row.get('epoch'))[:20]}")
        for name, value in row.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (isinstance(value, str) if name == "phase" else is_number):
                raise _damaged(
                    path, f"{name[:80]!r} in epoch {number} is not a {'name' if name == 'phase' else 'number'}"
                )
        if absent := _ALWAYS - row.keys():
            raise _damaged(path, f"epoch {number} has no {min(absent)}")
        rows.append(row)
    return rows


def dump_result(folder: Path, result: Mapping[str, object]) -> bytes:
    """Return the content of result.json: the outcome, and checksums of it and of the files that belong to it."""
    checksums = {name: _checksum_in(folder / name) for name in _CHECKED if (folder / name).is_file()}
    checksums["result.json"] = _checksum_of(result, checksums)
    return (json.dumps({**result, _CHECKSUMS: checksums}, indent=2, allow_nan=False) + "\n").encode()


def read_result(folder: Path) -> dict[str, object]:
    """Return the outcome of a finished run.

    Raises:
        ValueError: If the folder holds no finished run, or one of its files has changed.
    """
    path = folder / "result.json"
    if not path.is_file():
        kept = (folder / "state.pt").is_file() or (folder / "metrics.jsonl").is_file()
        why = (
            "is not finished; the command that began it continues it"
            if kept
            else "holds no run (it has no result.json)"
        )
        raise ValueError(f"{folder} {why}")
    result = _parse(path, _read_text(path))
    for name in _NUMBERS:
        if not isinstance(result.get(name), int | float):
            raise _damaged(path, f"it has no {name}")
    weights = weights_in(folder)
    if not weights.is_file():
        weights = folder / _name_of_weights(result)
    if not (weights.is_file() and _is_complete(weights)):  # opening a pipe would wait forever
        raise ValueError(f"{weights} is missing or cut off; restore it, or move {folder} away to train again")
    _verify(folder, result)
    return result


def _is_complete(path: Path) -> bool:
    """Return True for a complete safetensors file; its weights are not checked."""
    try:
        with safe_open(path, "np"):  # for "pt" it would import PyTorch
            return True
    except (SafetensorError, OSError):
        return False


def _name_of_weights(result: Mapping[str, Any]) -> str:
    """Return the name of the file of weights that a run wrote, as far as its result tells."""
    checksums = result.get(_CHECKSUMS)
    return MODEL if isinstance(checksums, dict) and MODEL in checksums else STUDENT


def _verify(folder: Path, result: dict[str, Any]) -> None:
    """Compare the files of a run with the checksums in its outcome, and remove these from it."""
    holders = [name for name, value in result.items() if isinstance(value, dict) and "result.json" in value]
    if not holders and _CHECKSUMS not in result:
        return
    checksums = result.pop(_CHECKSUMS, {})
    is_whole = holders == [_CHECKSUMS] and checksums.pop("result.json") == _checksum_of(result, checksums)
    if not is_whole or checksums.keys() - set(_CHECKED):
        raise _damaged(folder / "result.json", "it is not what the run wrote")
    for name, expected in checksums.items():
        size = _size(folder / name)  # first, because the file may be larger than memory
        if size is not None and (not expected.startswith(f"{size} ") or _checksum_in(folder / name) != expected):
            raise _damaged(folder / name, "it is not what the run wrote")


def checksum(content: bytes) -> str:
    """Return the number of bytes and their hash."""
    return f"{len(content)} {hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _checksum_in(path: Path) -> str:
    return checksum(path.read_bytes())


def _size(path: Path) -> int | None:
    """Return the size of a file; None for weights that were removed, which is not damage."""
    return path.stat().st_size if path.is_file() else None


def _checksum_of(result: Mapping[str, object], checksums: Mapping[str, object]) -> str:
    return checksum(json.dumps([result, checksums], sort_keys=True).encode())


def _read_text(path: Path) -> str:
    try:
        return _text(path, _MOST)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _text(path: Path, most: int) -> str:
    """Return the text in a file of at most so many bytes.

    Raises:
        ValueError: With what is wrong, in a clause.
    """
    if not path.is_file():
        raise ValueError("it is not a file")
    size = path.stat().st_size
    if not 0 < size <= most:  # the kernel's log has no size, and never ends
        raise ValueError(f"it has {size:,} bytes")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("it is not text") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    """Return a JSON object without NaN, infinity, or a name that occurs twice."""
    try:
        parsed = json.loads(text, object_pairs_hook=_without_repeats, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:  # the latter where lists are nested thousands deep
        why = "its brackets are nested too deep" if isinstance(error, RecursionError) else str(error)
        raise _damaged(path, why) from error
    if not isinstance(parsed, dict):
        raise _damaged(path, f"it holds a {type(parsed).__name__}")
    return parsed


def _without_repeats(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number


def _damaged(path: Path, why: str) -> ValueError:
    return ValueError(f"{path} is damaged ({why}); restore it, or move {path.parent} away to train again")
