from __future__ import annotations

import hashlib
import random

import pytest

from stillhouse.data.contents import Content
from stillhouse.data.folders.trained_on import KEPT, note, of, sample, share


def contents(*numbers: int) -> list[Content]:
    return [Content(hashlib.blake2b(str(number).encode(), digest_size=16).digest()) for number in numbers]


def test_a_sample_does_not_depend_on_the_order() -> None:
    images = contents(*range(1000))
    kept = sample(images)
    assert len(set(kept)) == KEPT
    random.Random(0).shuffle(images)
    assert sample(images) == kept
    assert len(sample(contents(1, 2, 3))) == 3


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_the_sample_is_that_of_the_images(part: float) -> None:
    kept = sample(contents(*range(2000)))
    here = [*range(int(2000 * part)), *range(10_000, 14_000)]
    assert share(kept, contents(*here)) == pytest.approx(part, abs=0.08)


def test_nothing_is_shared_with_nothing() -> None:
    assert share((), contents(1, 2)) == 0
    assert share(sample(contents(1, 2)), []) == 0


def test_headers_of_others_say_nothing() -> None:
    assert of({"trained_on": ["a", "b"]}) == ("a", "b")
    assert of({"trained_on": "a"}) is None
    assert of({}) is None


def test_the_note_says_how_much() -> None:
    assert note(0.25, "test images").startswith(
        "about 25 % of the images that the network was trained on are among the"
    )
