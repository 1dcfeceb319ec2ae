"""Seeds as typed: how many, or which."""

from __future__ import annotations

import re

MOST = 1000
_RULE = "--seeds must be a number of seeds from 1 to 1000, or seeds with commas, such as 0,1,2"


def read_seeds(typed: int | str, first: int) -> list[int]:
    """Return seeds: 3 stands for three, from `first` on; 0,1,2 for these.

    Raises:
        ValueError: If it is neither, or a seed is given twice.
    """
    text = str(typed)
    if re.fullmatch(r"\d{1,4}", text.strip()):
        if not 1 <= int(text) <= MOST:
            raise ValueError(f"{_RULE}, not {text}")
        return list(range(first, first + int(text)))
    if "," not in text or not re.fullmatch(r"\s*-?\d{1,18}\s*(,\s*-?\d{1,18}\s*)*,?\s*", text):
        raise ValueError(f"{_RULE}, not {text[:50]}")
    found = [int(part) for part in text.split(",") if part.strip()]
    if len(set(found)) < len(found) or len(found) > MOST:
        raise ValueError(f"{_RULE}, each once, not {text[:50]}")
    return found
