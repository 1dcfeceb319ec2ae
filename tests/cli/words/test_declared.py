"""Declarations as the text of the package shows them."""

import ast
import inspect

import pytest

from stillhouse.cli.words.declared import Declared, imported, module_of
from stillhouse.data import DATASETS
from stillhouse.methods.parse import catalogue
from stillhouse.models import MODELS, PARAMETERS

TEXT = ast.parse(
    """
SIZE: int = 3
BIRDS = Named(size=SIZE, name="birds", read=lambda: 1)
class One(Base):
    \"\"\"The first
    paragraph.

    The second.\"\"\"

    def __init__(self, first, second: float = 2.5, *, third=1): ...
"""
)


def test_a_class_tells_its_summary_and_the_defaults_of_its_constructor() -> None:
    one = Declared.of(TEXT, "One")
    assert one.summary() == "The first paragraph."
    assert [one.default(name) for name in ("self", "first", "second", "missing")] == [None, None, 2.5, None]


def test_a_constant_tells_its_value_and_the_arguments_of_its_call() -> None:
    assert Declared.of(TEXT, "SIZE").value() == 3
    assert list(Declared.of(TEXT, "BIRDS").arguments("name", "size").items()) == [("name", "birds"), ("size", 3)]
    with pytest.raises(LookupError, match="there is no WEIGHT"):
        Declared.of(TEXT, "WEIGHT")


def test_the_text_says_of_every_method_what_its_class_says() -> None:
    found = dict([*imported("methods"), *imported("methods/wrappers")])
    assert sorted(found) == sorted(catalogue())
    for name, cls in catalogue().items():
        assert found[name].summary() == " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
        weight = inspect.signature(cls).parameters.get("weight")
        assert found[name].default("weight") == (weight.default if weight else None), name


def test_the_text_says_of_every_data_set_what_it_says_itself() -> None:
    known = dict(imported("data/named"))
    names = ("name", "title", "images", "classes", "pixels", "licence")
    said = {name: value.arguments(*names) for name, value in known.items() if isinstance(value.statement, ast.Assign)}
    assert {facts["name"]: dict(facts) for facts in said.values()} == {
        name: {one: getattr(facts, one) for one in names} for name, facts in DATASETS.items()
    }


def test_every_network_of_the_zoo_has_the_number_of_parameters_that_is_listed() -> None:
    assert Declared.of(module_of("models"), "PARAMETERS").value() == PARAMETERS
    counted = {name: sum(p.numel() for p in build(num_classes=100).parameters()) for name, build in MODELS.items()}
    assert list(counted.items()) == list(PARAMETERS.items())
