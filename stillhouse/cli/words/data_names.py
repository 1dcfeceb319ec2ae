"""Names of data sets as they are declared: a misspelt one is refused before PyTorch is imported."""

from __future__ import annotations

import ast
import os

from ...spelling import no_data
from .declared import Declared, imported, module_of

_OTHERS = {":", os.sep, "~", "."}  # letters of functions, data of the Hub, and paths


def data_sets() -> list[Declared]:
    """Return the declarations of all data sets, in their order."""
    known = dict(imported("data/named"))
    listed = Declared.of(module_of("data/named"), "DATASETS").statement
    order = [node.id for node in ast.walk(listed) if isinstance(node, ast.Name) and node.id in known]
    return [known[one] for one in order if one.isupper()]


def refuse_misspelt(data: str) -> None:
    """Refuse a word that is neither the name of a data set, nor a file's or folder's, nor that of other data.

    Paths are left to `data.load`, so that networks are looked for before them.

    Raises:
        ValueError: With the sentence of `data.load`.
    """
    if _OTHERS & set(data) or os.path.exists(data):
        return
    names = [str(one.arguments("name")["name"]) for one in data_sets()]
    if data not in names:
        raise ValueError(no_data(data, names))
