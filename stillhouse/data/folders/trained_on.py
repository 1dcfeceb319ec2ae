"""Recognises images that a network was trained on: a run keeps digests of some of them.

Kept are those with the smallest digests. Which these are does not depend on the order or the names of the files, so any
other data set can be asked how many of them it holds, and that share is the share of the training images that it holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ..contents import Content

KEPT = 128  # digests; an overlap of 3 % is found with a probability of 98 %
_DIGITS = 16  # hexadecimal, of a digest
OWN = 0.5  # share from which on a data set counts as the one that the network was trained on


def sample(contents: Iterable[Content]) -> tuple[str, ...]:
    """Return what a run keeps of its training images."""
    return tuple(sorted(_short(content) for content in contents)[:KEPT])


def share(kept: Collection[str], contents: Iterable[Content]) -> float:
    """Return about which part of a network's training images is among these, 0 to 1.

    Args:
        kept: See `sample`.
    """
    here = {_short(content) for content in contents}
    return sum(digest in here for digest in kept) / max(1, len(kept))


def of(about: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return what the header of a run's weights says of its training images; None if it says nothing."""
    kept = about.get("trained_on")
    return tuple(map(str, kept)) if isinstance(kept, list) else None


def note(part: float, which: str) -> str:
    """Return a sentence about an overlap."""
    some = "at least" if part < 1 / KEPT else "about"
    return (
        f"{some} {100 * part:.0f} % of the images that the network was trained on are among the {which}: its accuracy "
        "there says little"
    )


def _short(content: Content) -> str:
    return content.digest.hex()[:_DIGITS]
