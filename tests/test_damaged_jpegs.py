from __future__ import annotations

from tests.damaged_jpegs import missed


def test_jpegs_that_cannot_be_decoded_are_found_before_a_training() -> None:
    assert [*missed(400, seed=0)] == []
