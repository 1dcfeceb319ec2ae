"""The timing of the parts of a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.method import Method
from stillhouse.methods import CE, KD
from stillhouse.plan import timing
from stillhouse.plan.timing import _drift, _read, _Timed, measured
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights

CPU = torch.device("cpu")


class Clock:
    """Time that passes only when something says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def passing(self, seconds: Iterator[float]) -> Callable[[Batch], None]:
        def act(batch: Batch) -> None:
            self.now += next(seconds)

        return act


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=made.perf_counter))
    return made


def batch(images: int = 32) -> Batch:
    return next(iter(quick_data(images, images=images).train.epoch(0, CPU)))


def test_seconds_are_a_mean_in_which_no_step_counts_for_more_than_three(clock: Clock) -> None:
    timed = _Timed(clock.passing(iter([1.0, 2.0, 2.0, 2.0, 99.0])), [batch()], CPU, 32)
    for _ in range(5):
        timed.once()
    assert timed.times == [1, 2, 2, 2, 99]
    assert timed.seconds == (1 + 2 + 2 + 2 + 6) / 5


def test_drift_is_between_quarters_of_the_time_and_not_between_steps() -> None:
    assert _drift([[1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]]) == 0
    assert _drift([[1.0] * 6 + [2.0] * 2, [2.0] * 6 + [4.0]]) == 0  # seven turns of both are too few
    assert _drift([[1.0] * 6 + [2.0] * 2, [2.0] * 6 + [2.5] * 2]) == 0.5


@pytest.mark.parametrize(("seconds", "many"), [(0.0, 5), (10.0, 21), (1000.0, 200)])
def test_batches_are_read_for_a_while(clock: Clock, monkeypatch: pytest.MonkeyPatch, seconds: float, many: int) -> None:
    data, one, read = quick_data().train, batch(), list[Batch]()

    def epoch(number: int, device: torch.device) -> Iterator[Batch]:
        for _ in range(500):
            clock.now += 0.5 if read else 2.0
            read.append(one)
            yield one

    monkeypatch.setattr(data, "epoch", epoch)
    kept, each, begin = _read(data, CPU, seconds)
    assert (len(kept), len(read), each, begin) == (5, many, 0.5, 1.5)


def test_what_is_slow_is_timed_on_fewer_images_and_its_time_is_multiplied(clock: Clock) -> None:
    def act(batch: Batch) -> None:
        clock.now += 0.1 * len(batch.labels)

    whole = batch()
    timed = _Timed.begun(act, [whole], CPU, longest=1.0)
    assert timed.images == len(whole.labels) // 4
    timed.once()
    assert timed.seconds == pytest.approx(0.1 * len(whole.labels))
    assert _Timed.begun(act, [whole], CPU, longest=100.0).images == len(whole.labels)


def test_all_networks_take_their_turns(tmp_path: Path) -> None:
    order: list[str] = []

    class Noted(CE):
        def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            order.append("step")
            return super().loss(student, teacher, labels)

    class Other(Noted):
        def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            loss = super().loss(student, teacher, labels)
            order[-1] = "other"
            return loss

    teacher = teacher_net()
    teacher.model.register_forward_hook(lambda *_: order.append("teacher"))
    methods: list[list[Method]] = [[Noted(), KD()], [Other(), KD()]]
    students = {trainer(one, teacher, tmp_path, str(n)): str(n) for n, one in enumerate(methods)}
    pace = measured(teacher, students, quick_data(), CPU, 0.05)
    assert pace.timed > 1
    assert order[-3 * pace.timed :] == pace.timed * ["teacher", "step", "other"]


def test_measuring_leaves_no_mark_and_passes_over_who_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(CE):
        def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            raise ValueError("made up")

    teacher = teacher_net()
    kd = trainer([CE(), KD()], teacher, tmp_path, "kd", dropout=0.5)
    before, random = weights(kd), torch.get_rng_state()
    pace = measured(teacher, {kd: "KD", trainer([Wrong()], None, tmp_path, "w"): "Wrong"}, quick_data(), CPU, 0.02)
    assert pace.teacher > 0
    assert pace.reading > 0
    assert pace.timed > 1
    assert pace.evaluations.keys() == pace.students.keys()
    assert list(pace.students) == ["KD"]
    assert_same(before, weights(kd))
    assert torch.equal(random, torch.get_rng_state())
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_that_was_timed_is_not_timed_again(tmp_path: Path) -> None:
    teacher = teacher_net()
    calls: list[int] = []
    teacher.model.register_forward_hook(lambda *_: calls.append(1))
    kd = trainer([CE(), KD()], teacher, tmp_path, "kd")
    whole = measured(teacher, {kd: "KD"}, quick_data(), CPU, 0.02)
    first = len(calls)
    again = measured(teacher, {kd: "KD"}, quick_data(), CPU, 0.02, look=whole.teacher)
    assert again.teacher == whole.teacher
    assert len(calls) - first < first / 2
