"""Methods by short names."""

import pytest

from stillhouse.methods.parse import parse
from stillhouse.report.labels import label, names


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("CE", "CE"),
        ("CE, KD(temperature=2)", "CE + KD(temperature=2)"),
        ("CE(weight=0.1), KD(weight=0.5)", "CE(weight=0.1) + KD(weight=0.5)"),
        ("CE, Standardized(KD(temperature=2))", "CE + Standardized(KD(temperature=2))"),
        ("CE, SpotAdaptive([KD, AT(weight=7.5)])", "CE + SpotAdaptive([KD, AT(weight=7.5)])"),
        ("CE, ScaleDecoupled(KD, scales=(1, 2, 4))", "CE + ScaleDecoupled(KD)"),
    ],
)
def test_defaults_are_left_out(typed: str, expected: str) -> None:
    assert label([str(method) for method in parse(typed)]) == expected


def test_methods_of_the_user_stay_as_they_are_but_for_folders() -> None:
    assert label(["CE(weight=1.0)", "/home/me/my_kd.py:MyKD(weight=3.0)"]) == "CE + my_kd.py:MyKD(weight=3.0)"
    assert label(["<b>(", ""]) == "<b>( + "


def test_names_are_those_of_all_methods() -> None:
    assert names([str(method) for method in parse("CE, Standardized(KD(temperature=2))")]) == [
        "CE",
        "Standardized",
        "KD",
    ]
