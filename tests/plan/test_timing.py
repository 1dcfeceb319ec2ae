"""The timing of the parts of a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.method import Method
from stillhouse.methods import CE, KD
from stillhouse.plan import timing
from stillhouse.plan.timing import _drift, _read, _together, measured
from stillhouse.plan.twins import Twin, needed
from tests.helpers.clock import Clock
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights

CPU = torch.device("cpu")


def batch(images: int = 32) -> Batch:
    return next(iter(quick_data(images, images=images).train.epoch(0, CPU)))


def test_drift_is_between_quarters_of_the_time_and_not_between_steps() -> None:
    assert _drift([[1, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]]) == 0
    assert _drift([[1.0] * 6 + [2.0] * 2, [2.0] * 6 + [4.0]]) == 0  # seven turns of both are too few
    assert _drift([[1.0] * 6 + [2.0] * 2, [2.0] * 6 + [2.5] * 2]) == 0.5


@pytest.mark.parametrize(("seconds", "many"), [(0.0, 5), (10.0, 21), (1000.0, 200)])
def test_batches_are_read_for_a_while(monkeypatch: pytest.MonkeyPatch, seconds: float, many: int) -> None:
    clock = Clock(monkeypatch)
    data, one, read = quick_data().train, batch(), list[Batch]()

    def epoch(number: int, device: torch.device) -> Iterator[Batch]:
        for _ in range(500):
            clock.now += 0.5 if read else 2.0
            read.append(one)
            yield one

    monkeypatch.setattr(data, "epoch", epoch)
    kept, each, begin = _read(data, CPU, seconds)
    assert (len(kept), len(read), each, begin) == (5, many, 0.5, 1.5)


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


def test_copies_that_do_not_fit_into_memory_together_are_timed_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = teacher_net()
    students = [trainer([CE(), KD()], teacher, tmp_path, name) for name in "abc"]
    one = needed(students[0])
    assert [len(group) for group in _together(students, 2.5 * one)] == [2, 1]
    assert [len(group) for group in _together(students, 0)] == [1, 1, 1]
    assert [len(group) for group in _together(students, None)] == [3]

    alive, most = list[Twin](), list[int]()
    begin, free = Twin.begin, Twin.free

    def begun(twin: Twin, batches: Sequence[Batch], device: torch.device, longest: float) -> None:
        alive.append(twin)
        most.append(len(alive))
        begin(twin, batches, device, longest)

    def freed(twin: Twin) -> None:
        alive.remove(twin)
        free(twin)

    monkeypatch.setattr(Twin, "begin", begun)
    monkeypatch.setattr(Twin, "free", freed)
    monkeypatch.setattr(timing, "_room", lambda free, used, budget: budget)
    calls: list[int] = []
    teacher.model.register_forward_hook(lambda *_: calls.append(1))
    labels = {student: student.name for student in students}
    whole = measured(teacher, labels, quick_data(), CPU, 0.0)
    assert (max(most), alive, list(whole.students)) == (3, [], ["a", "b", "c"])
    first = len(calls)
    most.clear()
    parts = measured(teacher, labels, quick_data(), CPU, 0.0, budget=2.5 * one)
    assert (max(most), alive, list(parts.students)) == (2, [], ["a", "b", "c"])
    assert len(calls) == 2 * first  # the teacher is timed once, not with each group


@pytest.mark.parametrize("images", [16, 8])
def test_memory_is_that_of_a_training_which_has_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    student = trainer([CE()], None, tmp_path, "a")
    weights, buffers = ([*part()] for part in (student.distillation.parameters, student.distillation.buffers))
    size, others = (sum(one.nbytes for one in part) for part in (weights, buffers))
    used, of_images = 10**6, 500 * images
    peak = used + (size + others) + 2 * size + of_images  # a copy, its gradients and momentum, and activations
    meter = SimpleNamespace(begin=lambda: True, used=lambda: used, peak=lambda: peak, free=lambda: 10**9)
    monkeypatch.setattr(timing, "meter", lambda device: meter)
    monkeypatch.setattr(timing, "_LONGEST", 100.0 if images == 16 else 0.0)
    pace = measured(None, {student: "a"}, quick_data(16), CPU, 0.0)
    assert pace.images == images
    assert pace.memory == used + 2 * size + 500 * 16


def test_a_budget_limits_the_memory_of_copies() -> None:
    assert timing._room(10**9, 10**8, None) == 5 * 10**8
    assert timing._room(10**9, 10**8, 0.5) == 2 * 10**8
    assert timing._room(10**9, 10**8, 5.0) == 5 * 10**8
