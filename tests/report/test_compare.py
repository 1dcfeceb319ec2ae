"""Methods beside a baseline, seed by seed."""

from pathlib import Path

import pytest

from stillhouse.report.compare import compare
from stillhouse.report.records import RunRecord
from tests.helpers.finished import CE, KD, record

SAME = "KD(weight=0.9, temperature=4.0, cross_entropy=True)"


@pytest.fixture
def runs(tmp_path: Path) -> list[RunRecord]:
    alone, taught = (60.0, 61.0, 62.0), (61.0, 62.5, 62.5)
    found = [record(tmp_path, seed=seed, top1=(50, 65, top1)) for seed, top1 in enumerate(alone)]
    found += [record(tmp_path, [CE, KD], seed, (50, 63, top1)) for seed, top1 in enumerate(taught)]
    return found + [record(tmp_path, [CE, SAME], seed, (50, 63, top1)) for seed, top1 in list(enumerate(taught))[:2]]


def test_each_method_is_compared_with_the_student_by_itself_over_common_seeds(runs: list[RunRecord]) -> None:
    (group,) = compare(runs)
    assert group.baseline == "CE"
    base, taught, same = group.entries
    assert (base.top1, base.best, base.to_baseline) == (61, 65, None)
    assert taught.to_baseline is not None
    assert taught.to_baseline.values == {0: 1.0, 1: 1.5, 2: 0.5}
    assert same.to_baseline is not None
    assert same.to_baseline.values == {0: 1.0, 1: 1.5}


def test_equal_settings_differ_by_exactly_zero(runs: list[RunRecord]) -> None:
    (group,) = compare(runs, "CE,KD")
    assert group.baseline == "CE + KD"
    same = group.entries[2].to_baseline
    assert same is not None
    assert (same.values, same.low, same.high) == ({0: 0, 1: 0}, 0, 0)


def test_an_unknown_baseline_is_refused_with_those_there_are(runs: list[RunRecord]) -> None:
    with pytest.raises(ValueError, match=r"no runs of 'CE \+ KDD'.*mean CE \+ KD.*There are: CE;"):
        compare(runs, "CE + KDD")


def test_networks_by_themselves_have_no_baseline_of_their_own(tmp_path: Path) -> None:
    networks = [record(tmp_path, student=student) for student in ("resnet20", "vgg8")]
    (group,) = compare(networks)
    assert (group.baseline, group.base) == (None, None)
    (group,) = compare(networks, "vgg8")
    assert [entry.to_baseline is None for entry in group.entries] == [True, False]
