"""Ranges in annotations: what they refuse, and in which words."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from torch import Tensor

from stillhouse import LogitMethod
from stillhouse.methods import KD
from stillhouse.ranges import (
    Count,
    Filled,
    Fraction,
    NonNegative,
    Number,
    Positive,
    ProperFraction,
    Seed,
    Temperature,
    check_options,
    complaint,
)


@pytest.mark.parametrize(
    ("hint", "good", "bad"),
    [
        (Positive, [1e-12, 1, 1e9], {0: "must be positive, not 0", -0.5: "must be positive, not -0.5"}),
        (NonNegative, [0, 0.0, 3], {-1: "must be 0 or more, not -1", 1e10: "must be at most 1e+09, not 1e+10"}),
        (Fraction, [0, 1, 0.5], {2: "must be between 0 and 1, not 2", -1.0: "must be between 0 and 1, not -1"}),
        (ProperFraction, [0, 0.999], {1.0: "must be at least 0 and below 1, not 1"}),
        (Temperature, [0.07, 4], {1e-30: "must be at least 0.001, because logits are divided by it, not 1e-30"}),
        (Count, [1, 10**9], {0: "must be at least 1, not 0", 10**30: "must be at most 1e+09, not 1e+30"}),
        (Count, [], {10**400: "must be at most 1e+09, not a number of more than 300 digits"}),
        (Seed, [-(2**63), 2**63 - 1], {2**63: "must be a whole number of 64 bits, not 9.22337e+18"}),
        (float, [-3e30], {math.inf: "must be a finite number, not inf"}),
        (NonNegative, [], {math.nan: "must be a finite number, not nan", "x": "must be a number, not 'x'"}),
        (NonNegative | None, [None, 0.0], {-1.0: "must be 0 or more, not -1"}),
        (Literal["auto"] | Number, ["auto", -79.0], {-1e12: "must be between -1e+09 and 1e+09, not -1e+12"}),
        (
            Annotated[Sequence[Positive], Filled()],
            [(1.0, 2)],
            {(): "must not be empty", (1, 0): "must be positive, not 0"},
        ),
        (Sequence[Positive] | None, [None, (), [2.0]], {(math.inf,): "must be a finite number, not inf"}),
        (Annotated[str | Sequence[str], Filled()], ["map", ["a"]], {"": "must not be empty"}),
        (Literal["paper", "code"], ["code"], {"mine": "must be 'paper' or 'code', not 'mine'"}),
        (Literal["auto"] | Number, ["auto"], {"mine": "must be 'auto' or a number, not 'mine'"}),
        (Count, [True, 3.0], {1.5: "must be a whole number, not 1.5"}),
        (Annotated[str, Filled()], ["map"], {"": "must not be empty"}),
        (object, [None, "x", ["y"]], {}),
    ],
)
def test_values_outside_a_range_are_named(hint: object, good: list[object], bad: dict[object, str]) -> None:
    assert [value for value in good if complaint(value, hint)] == []
    assert {value: complaint(value, hint) for value in bad} == bad


class Mine(LogitMethod):
    """A method of a user's own, whose weight has no range of its own."""

    def __init__(self, weight: float = 1.0, levels: Annotated[Sequence[Count], Filled()] = (1,)):
        super().__init__(weight)
        self.levels = levels

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return student.sum(1)


def test_methods_say_what_is_wrong_with_an_argument_before_they_take_it() -> None:
    with pytest.raises(ValueError, match=r"^Mine: levels must be at least 1, not 0$"):
        Mine(1.0, [1, 0])
    with pytest.raises(ValueError, match=r"^Mine: weight must be 0 or more, not -1$"):
        Mine(-1)
    with pytest.raises(ValueError, match=r"^KD: temperature must be a number, not '4'$"):
        KD(temperature="4")  # type: ignore[arg-type] # a user's mistake
    with pytest.raises(TypeError, match="unexpected keyword argument 'tau'"):
        KD(tau=4)  # type: ignore[call-arg] # a user's mistake


def test_methods_are_copied_as_before() -> None:
    assert copy.deepcopy(Mine(2.0, [3])).levels == [3]
    assert Mine.__init__.__name__ == "__init__"


def test_annotations_that_only_type_checkers_can_read_are_no_error() -> None:
    def init(self: KD, weight: "Unknown" = 1.0) -> None:  # type: ignore[name-defined] # noqa: F821
        KD.__init__(self, weight)

    assert type("Odd", (KD,), {"__init__": init})(3.0).weight == 3.0


@dataclass(frozen=True)
class Options:
    rate: Fraction = 0.5
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_options(self)


def test_options_are_called_as_they_are_typed() -> None:
    assert Options(1.0).rate == 1
    with pytest.raises(ValueError, match=r"^--rate must be between 0 and 1, not 7$"):
        Options(7.0)
