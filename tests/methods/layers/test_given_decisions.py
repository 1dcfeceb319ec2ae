import pytest
import torch

from stillhouse.method import Spot
from stillhouse.methods.layers.given_decisions import GivenDecisions, by_place

MADE = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 0.6]])


def test_given_decisions_replace_those_of_the_policy() -> None:
    given = GivenDecisions(3, {0: False, 2: True})
    expected = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert torch.equal(given(MADE), expected)
    assert torch.equal(given.active(expected), expected)
    assert torch.equal(GivenDecisions(3, {})(MADE), MADE)
    assert not given.state_dict()


def test_reversed_all_but_what_stands_beforehand_is_the_other_way_round() -> None:
    given = GivenDecisions(3, {0: False, 2: True}, reverse=True)
    decided = given(MADE)
    assert torch.equal(given.active(decided), torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))


def test_names_of_the_student_stand_for_all_its_places() -> None:
    place = {Spot("a", "b"): 0, Spot("a", "c"): 1, Spot("d", "d"): 2, Spot("logits", "logits"): 3}
    assert by_place({"a": True, "logits": False}, place) == {0: True, 1: True, 3: False}
    assert by_place({}, place) == {}
    assert by_place({"d": False}, place, elsewhere=True) == {0: True, 1: True, 2: False, 3: True}
    with pytest.raises(ValueError, match="fixed must name spots of its terms, a, d, logits, not 'e'"):
        by_place({"a": True, "e": False}, place)
