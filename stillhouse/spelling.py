"""What a misspelt name was probably meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence with a blank before it, or nothing if no known name is near."""
    by_lower = {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(by_lower[key] for key in near)}?" if near else ""
