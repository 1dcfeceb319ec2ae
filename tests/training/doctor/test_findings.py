"""Shares, warnings and balancing weights are those that the norms mean, and sensible losses raise no warning."""

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import AT, CE, FT, KD
from stillhouse.methods.wrappers import Ramped
from stillhouse.training.classroom import Classroom
from stillhouse.training.doctor.findings import Finding, findings, in_words, percent, report, rows, shares, warnings
from stillhouse.training.doctor.gradients import LossDoctor, Norms
from stillhouse.training.loop import fit
from stillhouse.training.progress import Display
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.training import teacher_net, trainer
from tests.training.doctor.test_gradients import looking


def taught(*methods: Method) -> Distillation:
    return Distillation(QuickNet(), teacher_net(), methods, quick_data().info)


def norms(*looks: Sequence[float], names: str = "CE KD") -> Norms:
    return {step: dict(zip(names.split(), look, strict=True)) for step, look in enumerate(looks, 1)}


def test_a_share_is_the_part_of_the_sum_of_norms_and_the_mean_over_looks() -> None:
    found = norms((1, 3), (1, 1), (0, 0))
    assert shares(found) == {1: {"CE": 0.25, "KD": 0.75}, 2: {"CE": 0.5, "KD": 0.5}}
    assert [one.share for one in findings(found, taught(CE(), KD()))] == [0.375, 0.625]


def test_the_balancing_weight_makes_a_norm_the_mean_of_the_others() -> None:
    found = norms((2, 8, 2), (2, 8, 2), (2, 16, 2), names="CE KD AT")
    *_, kd, at = findings(found, taught(CE(), KD(weight=0.9), AT(weight=100)))
    assert kd.balancing == "KD(weight=0.23)"  # 0.9 x 2 / 8, the median of three looks
    assert at.balancing == "AT(weight=250)"  # 100 x 5 / 2


def test_what_does_nothing_is_no_measure_for_the_others() -> None:
    _, kd, at = findings(norms((2, 4, 1e-4), names="CE KD AT"), taught(CE(), KD(weight=1), AT(weight=1)))
    assert (kd.balancing, at.balancing) == ("KD(weight=0.5)", "AT(weight=30000)")


def test_a_method_without_a_weight_is_told_a_factor() -> None:
    (_, ramped) = findings(norms((1, 4), names="CE Ramped"), taught(CE(), Ramped(KD())))
    assert ramped.balancing == "0.25 times the weight inside Ramped"


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(1, 1), (1, 20)], []),
        ([(1, 100), (1, 100)], ["KD swamps the other terms (KD(weight=0.01) would balance it)"]),
        ([(1, 100), (1, 1)], []),  # only at the beginning, as AT
        ([(100, 0.5), (100, 0.5)], ["KD does next to nothing (KD(weight=200) would balance it)"]),
        ([(100, 0.5), (100, 5)], []),  # it comes in
        ([(100, 1.5), (100, 1.5)], []),  # the labels do not swamp
        ([(1, 0), (1, 0)], ["KD does next to nothing"]),
    ],
)
def test_warnings_are_for_terms_that_do_nothing_or_swamp(looks: list[tuple[float, float]], expected: list[str]) -> None:
    assert warnings(findings(norms(*looks), taught(CE(), KD(weight=1)))) == expected


def test_a_term_that_is_small_on_purpose_is_not_blamed() -> None:
    small = norms((100, 0.1), names="CE Ramped")
    assert warnings(findings(small, taught(CE(), Ramped(KD())))) == []
    assert warnings(findings(norms((1, 0)), taught(CE(), KD(weight=0)))) == []
    acted = norms((1, 0), names="CE FT")
    assert warnings(findings(acted, taught(CE(), FT()))) == []  # it has acted in its warm-up
    assert warnings(findings(norms((1000, 1), names="CE FT"), taught(CE(), FT()))) != []


def test_of_several_small_terms_the_one_that_swamps_them_is_named() -> None:
    found = findings(norms((1, 1000, 1), names="CE AT KD"), taught(CE(), AT(), KD()))
    assert warnings(found) == ["AT swamps the other terms (AT(weight=1) would balance it)"]
    assert [row[3] for row in rows(norms((1, 1000, 1), names="CE AT KD"), taught(CE(), AT(), KD()))] == [
        "does next to nothing",
        "swamps the others",
        "does next to nothing",
    ]


def test_shares_are_said_as_people_read_them() -> None:
    assert [percent(share) for share in (0, 0.0004, 0.0123, 0.5, 0.996)] == [
        *("0 %", "below 0.1 %", "1.2 %", "50 %", "100 %")
    ]
    assert in_words([Finding("CE", 0.25), Finding("KD", 0.75)]) == "CE 25 %, KD 75 %"


def test_without_looks_or_with_one_term_nothing_is_said() -> None:
    assert report("student", {}, taught(CE(), KD())) is None
    assert report("student", norms((0, 0)), taught(CE(), KD())) is None
    text, is_warning = report("student", norms((1, 3), (1, 1)), taught(CE(), KD())) or ("", True)
    assert text == "student: share of the gradient in its trunk, first 2 steps: CE 38 %, KD 62 %"
    assert not is_warning


def said(folder: Path, capsys: pytest.CaptureFixture[str], methods: list[Method], name: str = "student") -> list[str]:
    teacher = teacher_net()
    one = trainer(methods, teacher, folder, name)
    fit(Classroom(teacher, [one]), quick_data(), "cpu", Display())
    out = capsys.readouterr().out
    return [line for line in out.splitlines() if "the gradient " in line]


def test_each_student_is_told_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with looking(1, 3, 7):
        (line,) = said(tmp_path, capsys, [CE(weight=1e-4), KD(weight=1)])
    assert line.startswith("note: student: share of the gradient in its trunk, first 7 steps: CE ")
    assert "; KD swamps the other terms (KD(weight=" in line
    assert line.endswith(" would balance it). Balanced is not always best")
    with looking(1, 3, 100):  # the run ends before the last look
        (line,) = said(tmp_path, capsys, [CE(), KD()], "short")
    assert line.startswith("short: share of the gradient in its trunk, first 3 steps: CE ")
    assert said(tmp_path, capsys, [CE()], "alone") == []


def test_a_network_that_cannot_be_measured_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.object(LossDoctor, "_norm", side_effect=RuntimeError("only once")):
        (line,) = said(tmp_path, capsys, [CE(), KD()])
    assert line == "student: the share of each term in the gradient is not measured: only once"
