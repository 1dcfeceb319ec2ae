"""Each law about masked samples finds a bad specimen, and finds nothing wrong with good ones."""

import pytest

from stillhouse.contract import masks
from stillhouse.method import Method
from stillhouse.methods import AT, CRD, KD, SP
from stillhouse.methods.wrappers import SpotAdaptive

from .bad import (
    Careless,
    Centred,
    CountsMasked,
    Deaf,
    Diluted,
    Leaking,
    Remembering,
    RemembersMasked,
    Squares,
    reason,
    sentence,
    subject,
)


@pytest.mark.parametrize("cls", [KD, AT, SP, CRD, Squares, Remembering])
def test_good_methods_leave_masked_samples_out(cls: type[Method]) -> None:
    assert masks.do_not_affect_the_loss(subject(cls)) == ""


def test_a_loss_that_depends_on_masked_samples_is_wrong() -> None:
    law = masks.do_not_affect_the_loss
    assert sentence(law, Deaf).endswith("with other samples masked; leave out those where batch.active is 0")
    assert sentence(law, Centred).startswith("at logits it is ")
    assert sentence(law, Leaking) == "at logits masked samples get a gradient"
    found = sentence(law, Diluted)
    assert found.startswith("at embedding it is ")
    assert found.endswith(" without them")
    assert sentence(law, Careless) == "the loss is nan (all samples masked at embedding)"


@pytest.mark.parametrize("cls", [CRD, Remembering])
def test_good_memories_do_not_hold_masked_samples(cls: type[Method]) -> None:
    assert masks.are_not_remembered(subject(cls)) == ""


@pytest.mark.parametrize("cls", [RemembersMasked, CountsMasked])
def test_a_memory_that_ignores_the_mask_is_wrong_even_where_the_loss_is_right(cls: type[Method]) -> None:
    assert masks.do_not_affect_the_loss(subject(cls)) == ""
    found = sentence(masks.are_not_remembered, cls)
    assert found == "bank depends on masked samples; update it only where batch.active is 1"


def test_the_laws_say_when_they_did_not_look() -> None:
    assert reason(masks.are_not_remembered, KD) == "it remembers nothing of a batch"

    class Both(SpotAdaptive):
        def __init__(self) -> None:
            super().__init__([KD(), AT()])

    for law in (masks.do_not_affect_the_loss, masks.are_not_remembered):
        assert reason(law, Both) == "it is not a SpotMethod, so it is never given a mask"
