"""Students that are fast enough."""

import pytest
import torch

from stillhouse.export.latency import Latency
from stillhouse.pick import fast_enough
from stillhouse.pick.fast_enough import Limit, measured, refuse_none, table
from stillhouse.plan.speed import Speed
from tests.helpers.commands import printed
from tests.pick.made_up import LATENCIES

LIMIT = Limit(4.5, 1, 2, torch.device("cpu"))


def test_slow_calls_decide_and_the_table_says_so() -> None:
    assert [LIMIT.allows(LATENCIES[name]) for name in ("slow", "fast")] == [False, True]
    assert Limit(None, 1, 1, torch.device("cpu")).allows(LATENCIES["slow"])
    lines = printed(table(LATENCIES, LIMIT))
    assert lines[0] == "latency of 1 image at once with 2 CPU threads, in eager PyTorch"
    assert [line.split()[0] for line in lines[-2:]] == ["fast", "slow"]
    assert lines[-1].endswith("left out: p95 above 4.5, p50 is not")


def test_none_that_is_fast_enough_is_refused_with_the_fastest() -> None:
    refuse_none(LATENCIES, LIMIT)
    with pytest.raises(ValueError, match=r"no student is fast enough: .* the fastest, fast, take up to 2 ms, and"):
        refuse_none(LATENCIES, Limit(1.5, 1, 1, torch.device("cpu")))


def test_the_least_disturbed_of_several_rounds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    slowest = iter([9.0, 8.0, 3.0, 4.0, 5.0, 6.0])
    asked = []

    def speeds(source: object, classes: int, size: int, images: list[int], threads: list[int], *rest: object) -> object:
        asked.append((classes, size, images, threads))
        return [Speed(1, 2, Latency(1.0, next(slowest), 30))]

    monkeypatch.setattr(fast_enough, "speeds", speeds)
    found = measured(["resnet8", "resnet14"], 10, 16, LIMIT)
    assert {name: one.p95 for name, one in found.items()} == {"resnet8": 3.0, "resnet14": 4.0}
    assert set(map(repr, asked)) == {repr((10, 16, [1], [2]))}


def test_a_student_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="--students resnet9: "):
        measured(["resnet9"], 10, 16, LIMIT)
