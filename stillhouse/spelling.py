"""Text for people: counts, suggestions for misspelt names, names that are safe to print."""

import difflib
import os
import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "tuple": "a list",
    "collections.abc.Sequence": "a list",
    "pathlib.Path": "a path",
    "stillhouse.anatomy.Anatomy": "an anatomy such as '{stages: [layer1, layer2], head: fc}'",
}

EXAMPLE = "for example:\n\n"  # what stands behind it in a message is code, which keeps its lines

_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # not \t, not \n
_MOST_LETTERS = 1000  # of one word in a sentence; paths stay whole
_SHORTEST_BEGINNING = 3  # letters that stand for a longer name
_MOST_NAMES = 2000  # of a folder to compare with
_LONGEST_NAME = 100  # letters of a name to look up: comparing more takes minutes


def printable(text: str) -> str:
    """Escape control characters, changes of writing direction, and bytes of file names that are not UTF-8.

    Otherwise they could move a terminal's cursor, colour its text, overwrite earlier lines, or end the writing of a
    file in UTF-8.
    """
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def sentence(text: str) -> str:
    """Return an error message as one printable line, with very long words cut, and lines of code behind EXAMPLE."""
    said, example, code = text.partition(EXAMPLE)
    line = printable(" ".join(said.splitlines()) + example + code.rstrip())
    return re.sub(rf"\S{{{_MOST_LETTERS + 1},}}", lambda found: f"{found[0][:100]}...{found[0][-20:]}", line)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: 1 epoch, 2,000 epochs."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def rounded(value: float) -> str:
    """Return a number rounded to two digits and written out: 0.0031, 480, 11000."""
    return f"{float(f'{value:.2g}'):g}"


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters: a longer one loses its middle."""
    if len(text) <= most:
        return text
    end = (most - 2) // 2
    return f"{text[: most - 2 - end]}..{text[len(text) - end :]}"


def wrapped(text: str, width: int, letters: Callable[[str], int] = len) -> str:
    """Return a text whose lines break between words to fit a width; a word that is longer, such as a path, stays whole.

    Args:
        letters: Returns how wide a text is; letters of some scripts take two places.
    """
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in re.findall(r"\s*\S+|\s+", paragraph):
            if line.strip() and letters(line + word) > width:
                lines.append(line)
                word = word.lstrip()
                line = ""
            line += word
        lines.append(line)
    return "\n".join(lines)


def nearest(name: str, known: Iterable[str], before: str = "") -> str:
    """Return a suggestion for a misspelt name: a sentence with a space in front, or an empty text.

    Args:
        before: What is typed before each name: "--".
    """
    if len(name) > _LONGEST_NAME:
        return ""
    by_lower = {key.lower(): key for key in known}
    near = _near(name.lower(), by_lower)
    return f" Did you mean {' or '.join(before + by_lower[key] for key in near)}?" if near else ""


def nearest_path(path: str) -> str:
    """Return a suggestion for a path that does not exist: words in brackets with a space in front, or an empty text.

    It replaces the first part that is missing by names in the folder that holds it, where the rest exists there. If no
    name is near, it says which folder exists.
    """
    absent = Path(path).expanduser()
    try:
        first = [part for part in (absent, *absent.parents) if not part.exists()][-1]
        with os.scandir(first.parent) as entries:
            known = [entry.name for entry in islice(entries, _MOST_NAMES)]
    except (OSError, IndexError, ValueError):
        return ""
    shown = Path(path) if path.startswith("~") else absent  # as it was typed
    parent = shown.parents[len(absent.parts) - len(first.parts)]
    rest = absent.relative_to(first)
    by_lower = {name.lower(): name for name in sorted(known) if (first.parent / name / rest).exists()}
    near = _near(first.name.lower(), by_lower) if len(first.name) <= _LONGEST_NAME else []
    if near:
        return f" (did you mean {' or '.join(str(parent / by_lower[key] / rest) for key in near)}?)"
    return f" (the folder {parent} exists)" if parent.name else ""


def no_data(data: str, names: Iterable[str]) -> str:
    """Return a sentence about a data set that there is not, with the names of those that there are."""
    known = ", ".join(names)
    if os.sep in data or data.startswith(("~", ".")):
        return (
            f"there is no folder or file {data}{nearest_path(data)}: check the path, or use a data set by name: {known}"
        )
    near = difflib.get_close_matches(data.lower().replace("-", "_"), known.split(", "), n=2)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"there is no data set or folder called {data!r}.{hint} Data sets: {known}; or pass a folder"


def _near(name: str, known: Iterable[str]) -> list[str]:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if len(name) >= _SHORTEST_BEGINNING:  # temp, for temperature
        near += [key for key in known if key.startswith(name) and key not in near][: 3 - len(near)]
    return near


def misfit(complaint: str) -> tuple[str, str] | None:
    """Turn jsonargparse's complaint about a type into an option's name and "takes a whole number, not x"."""
    found = re.search(r'Parser key "([\w.]+)": (.*)', re.sub(r"\s+", " ", complaint))
    if not found:
        return None
    why, *value = re.split(r"(?:Got|Given) value(?: type: .* Given value)?: ", found[2], maxsplit=1)
    kinds = [KINDS.get(kind, kind) for kind in re.findall(r"<class '([\w.]+)'>", why) if kind != "NoneType"]
    kinds += [f"one of {choices}" for choices in re.findall(r"Literal\[(.*?)\]", why)]
    if not kinds or not value:
        return found[1], found[2]
    return found[1], f"takes {' or '.join(dict.fromkeys(kinds))}, not {value[0]}"
