"""Plain words, above all for what somebody typed wrong."""

import difflib
import re
from collections.abc import Iterable

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "tuple": "a list",
    "collections.abc.Sequence": "a list",
    "pathlib.Path": "a path",
    "stillhouse.anatomy.Anatomy": "an anatomy such as '{stages: [layer1, layer2], head: fc}'",
}


def counted(count: int, noun: str) -> str:
    """1 epoch, 2 epochs"""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def nearest(name: str, known: Iterable[str]) -> str:
    """What a misspelt name was probably meant to be: a sentence with a blank before it, or nothing if none is near."""
    by_lower = {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(by_lower[key] for key in near)}?" if near else ""


def misfit(complaint: str) -> tuple[str, str] | None:
    """jsonargparse's complaint about the type of a value: whose value, and "takes a whole number, not x"."""
    found = re.search(r'Parser key "([\w.]+)": (.*)', re.sub(r"\s+", " ", complaint))
    if not found:
        return None
    why, *value = re.split(r"(?:Got|Given) value(?: type: .* Given value)?: ", found[2], maxsplit=1)
    kinds = [_KINDS.get(kind, kind) for kind in re.findall(r"<class '([\w.]+)'>", why) if kind != "NoneType"]
    kinds += [f"one of {choices}" for choices in re.findall(r"Literal\[(.*?)\]", why)]
    if not kinds or not value:
        return found[1], found[2]
    return found[1], f"takes {' or '.join(dict.fromkeys(kinds))}, not {value[0]}"
