"""Landmarks found by a dry run; `tests/test_anatomy.py` tries many families of networks."""

from stillhouse.anatomy import Anatomy
from stillhouse.models.landmarks import Landmarks, find
from tests.helpers.networks import tiny


def test_what_is_found_are_fields_of_an_anatomy_in_its_order() -> None:
    fields = tuple(Anatomy.__dataclass_fields__)
    assert fields[: len(Landmarks._fields)] == Landmarks._fields
    net = tiny()
    found = find(net, 16)
    assert found.head == "fc"
    assert found.map == "act2"
    assert Anatomy.of(net, 16) == Anatomy(*found)
