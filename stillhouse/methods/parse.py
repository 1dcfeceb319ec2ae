"""Parse a user's methods: `CE, KD(temperature=2), my_kd.py:MyKD(weight=3), ScaleDecoupled(KD)`."""

from __future__ import annotations

import ast
import re

from .spec import (
    MethodSpec as MethodSpec,
    Value,
    as_text,
    catalogue as catalogue,
    method_hint,
    sources as sources,
    spell,
)

_MOST = 100  # methods of one student
_OPENING, _CLOSING = "([{", ")]}"
_FOREIGN = re.compile(r"""'[^']*'|"[^"]*"|(?<![\w./~-])([\w./~-]++:[A-Za-z_]\w*)""")  # file.py:MyKD, outside quotes


def parse(text: str) -> list[MethodSpec]:
    """Read the methods of one student: Python calls, whose brackets may be left out, joined by commas or +.

    Raises:
        ValueError: If a name, an argument or a value is not known; the message names the nearest ones.
    """
    if len(split(text, ";")) > 1:
        raise ValueError(f"--methods {text!r} makes several students, and here there is one; join its losses by commas")
    text = ", ".join(split(text, "+"))
    foreign: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:  # a path and a colon are not a Python expression
        if match[1] is None:
            return match[0]
        foreign[f"_foreign{len(foreign)}"] = match[1]
        return list(foreign)[-1]

    source = _FOREIGN.sub(hide, text.strip().rstrip(","))
    try:
        tree = ast.parse(f"[{source}]", mode="eval").body
    except SyntaxError as error:
        raise ValueError(
            f"--methods {text!r} cannot be read ({error.msg}); write CE,KD or 'CE, KD(temperature=2)'"
        ) from None
    assert isinstance(tree, ast.List)
    if len(tree.elts) > _MOST:
        raise ValueError(f"--methods must name at most {_MOST} methods, not {len(tree.elts):,}; leave some out")
    method_specs = [_value(node, foreign) for node in tree.elts]
    for item in method_specs:
        if not isinstance(item, MethodSpec):
            raise ValueError(f"{as_text(item)} in --methods is not a method; the methods are {', '.join(catalogue())}")
    if not method_specs:
        raise ValueError("--methods is empty; write CE,KD for example")
    return [item for item in method_specs if isinstance(item, MethodSpec)]


def _value(node: ast.expr, foreign: dict[str, str]) -> Value:
    called = _called(node.func if isinstance(node, ast.Call) else node, foreign)
    if called and not isinstance(node, ast.Call):
        return spell(*called, [], {})
    if called and isinstance(node, ast.Call):
        name = called[0]
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in named:
                given = "**" if keyword.arg is None else f"{keyword.arg} twice"
                raise ValueError(f"{name}(...) in --methods is given {given}; write each argument once, by its name")
            named[keyword.arg] = _argument(keyword.value, foreign)
        return spell(*called, [_argument(argument, foreign) for argument in node.args], named)
    if isinstance(node, ast.List | ast.Tuple):
        return [_argument(element, foreign) for element in node.elts]
    try:
        plain: Value = ast.literal_eval(node)
    except ValueError:
        text = ast.unparse(node)
        hint = f"; name the class in it, {text}:MyMethod" if text.endswith(".py") else ""
        raise ValueError(f"{text!r} in --methods is neither a method nor a plain value{hint}") from None
    return plain


def _called(node: ast.expr, foreign: dict[str, str]) -> tuple[str, str] | None:
    """Return the names of a method and of its constructor, "" for the class itself; None for anything else."""
    if isinstance(node, ast.Name):
        return foreign.get(node.id, node.id), ""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr != "py":
        return foreign.get(node.value.id, node.value.id), node.attr
    return None


def _argument(node: ast.expr, foreign: dict[str, str]) -> Value:
    known = [*foreign, *(name.lower() for name in catalogue())]
    if isinstance(node, ast.Name) and node.id not in known and node.id.lower() not in known:
        hint = method_hint(node.id)
        raise ValueError(f"{node.id!r} in --methods is not a method.{hint} If it is text, quote it: '{node.id}'")
    return _value(node, foreign)


def split(text: str, separator: str) -> list[str]:
    """Split at a separator outside of brackets and quotes, and drop empty parts."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else quote or (letter if letter in "'\"" else "")
        depth += (letter in _OPENING) - (letter in _CLOSING) if not quote else 0
        if letter == separator and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
