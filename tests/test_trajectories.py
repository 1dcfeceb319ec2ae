"""Training steps come out as in the published code, to about nine digits. A row says how to ask for a case here."""

import pytest

from .golden.rows import ROWS
from .golden.trajectory import CASES, deviations


def test_every_recorded_case_has_a_row() -> None:
    assert ROWS.keys() == CASES.keys()


@pytest.mark.parametrize("name", ROWS)
def test_steps_come_out_as_in_the_published_code(name: str) -> None:
    found = deviations(CASES[name], ROWS[name])
    assert not found, "\n".join([f"{len(found)} numbers differ", *found[:20]])
