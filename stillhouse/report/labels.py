"""Short names of methods, without arguments at their defaults. No code that a run names is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from inspect import signature

from ..methods.parse import catalogue

_FOLDERS = re.compile(r"[^\s,()\[\]]*/(?=[^/\s,()\[\]]+\.py:)")  # before the file of the user's own method


def label(methods: Sequence[str]) -> str:
    """Return "CE + KD(temperature=2.0)" for methods as a run spells them, with all arguments."""
    return " + ".join(_FOLDERS.sub("", _shortened(method)) for method in methods)


def names(methods: Sequence[str]) -> list[str]:
    """Return the names of all methods in order, including those inside others."""
    return re.findall(r"(?:[^\s,()\[\]=]+\.py:)?\b[A-Za-z_]\w*(?:\.\w+)?(?=\()", " ".join(methods))


def _shortened(method: str) -> str:
    try:
        tree = ast.parse(method, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return method  # the user's own method, FILE.py:NAME(...)
    for node in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
        known = _defaults(node.func)
        node.keywords = [
            keyword
            for keyword in node.keywords
            if keyword.arg not in known or _value(keyword) != _plain(known[keyword.arg])
        ]
        if node.keywords and any(isinstance(inner, ast.Call) for inner in ast.walk(node.keywords[0].value)):
            node.args.append(node.keywords.pop(0).value)  # Standardized(KD): the methods in a wrapper come first
    for one in ast.walk(tree):
        if isinstance(one, ast.Constant) and isinstance(one.value, float) and one.value.is_integer():
            one.value = int(one.value)
    return re.sub(r"\(\)", "", ast.unparse(tree))


def _defaults(function: ast.expr) -> dict[str | None, object]:
    """Return the defaults of a method's arguments; empty for a method that is not ours."""
    cls = catalogue().get(function.id) if isinstance(function, ast.Name) else None
    return {} if cls is None else {name: one.default for name, one in signature(cls).parameters.items()}


def _value(keyword: ast.keyword) -> object:
    try:
        return _plain(ast.literal_eval(keyword.value))
    except (ValueError, TypeError, MemoryError, RecursionError):
        return keyword  # equal to no value: another method


def _plain(value: object) -> object:
    """Return a list as a tuple: a run spells (1, 2) as [1, 2]."""
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
