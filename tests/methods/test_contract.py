"""Every method of the catalogue keeps every law of the contract.

What is known of a method stands in its own test file, as REFUSES and NOTES (see tests/helpers/contract.py).
"""

import inspect
from functools import cache
from importlib import import_module

import pytest

from stillhouse.contract import LAWS, Law, NotApplicable, Subject
from stillhouse.methods.parse import catalogue, parse
from tests.helpers.contract import ZERO_LOSS

APPLIES_TO = {  # laws that do not apply to some methods, and a method that they must apply to
    "the loss is computed on a GPU without waiting for it": "none, where there is no GPU",
    ZERO_LOSS: "KD",
    "the memory format of feature maps does not matter": "AT",
    "masked samples do not affect the loss": "SP",
    "masked samples are not remembered": "CRD",
    "its parameters are its own and are trained": "FitNet",
    "its initial weights follow from the seed": "FitNet",
    "observations are finite numbers": "CTKD",
}


@cache
def subject(name: str) -> Subject:
    takes = inspect.signature(catalogue()[name]).parameters
    inside = "(KD)" if "base" in takes else "([KD, AT])" if "terms" in takes else ""
    return Subject(parse(name + inside)[0])


def known(name: str, what: str) -> set[str]:
    """Return REFUSES or NOTES of a method's test file, which stands where the method stands below stillhouse/."""
    folder, _, file = catalogue()[name].__module__.removeprefix("stillhouse.").rpartition(".")
    found: set[str] = getattr(import_module(f"tests.{folder}.test_{file}"), what, set())
    return found


@pytest.mark.parametrize("law", LAWS, ids=[law.says for law in LAWS])
@pytest.mark.parametrize("name", catalogue())
def test_contract(name: str, law: Law) -> None:
    try:
        note = law.try_on(subject(name))
    except NotApplicable:
        assert name != APPLIES_TO[law.says]
        return
    pair, _, rest = law.says.partition(" can be distilled")
    if rest:
        assert note.startswith("refused: ") is (pair in known(name, "REFUSES")), note
    else:
        assert bool(note) is (law.says in known(name, "NOTES")), note
