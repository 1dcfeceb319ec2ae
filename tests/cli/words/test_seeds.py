"""Seeds: how many, or which."""

import pytest

from stillhouse.cli.words.seeds import read_seeds


@pytest.mark.parametrize(
    ("typed", "seeds"),
    [
        (3, [4, 5, 6]),
        ("3", [4, 5, 6]),
        ("0,1,2", [0, 1, 2]),
        (" 7, -1 ", [7, -1]),
        ("7,", [7]),
    ],
)
def test_a_number_counts_and_a_list_names(typed: int | str, seeds: list[int]) -> None:
    assert read_seeds(typed, first=4) == seeds


@pytest.mark.parametrize("typed", [0, -5, 1001, "", "a", "1.5", "[]", "1,,2", "1,1", ",", "9" * 30, "1" * 30 + ",2"])
def test_anything_else_is_refused(typed: int | str) -> None:
    with pytest.raises(ValueError, match="--seeds must be a number of seeds from 1 to 1000, or seeds with commas"):
        read_seeds(typed, first=0)
