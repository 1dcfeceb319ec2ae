"""The loop: interrupted or killed at any moment, it ends where an undisturbed run ends, bit for bit."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stillhouse.methods import AT, CE, KD
from stillhouse.training import loop
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.evaluation import evaluate
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights
from tests.soak import Fault, Soak, in_a_process, in_memory, on_disk, outcome


@pytest.mark.timeout(600)
def test_killed_at_twenty_moments_it_ends_with_the_same_bytes(tmp_path: Path) -> None:
    soak = in_memory(tmp_path)
    assert len(soak.expected) == 3  # the teacher, the student by itself, the student distilled
    words, moments = soak.command(tmp_path / "killed"), random.Random(0)
    for kill in range(20):
        if kill % 2:
            fault = Fault("killed", moments.randrange(20))
        else:  # every attempt writes at least its configuration before it does anything
            fault = Fault("killed writing", moments.randrange(4), renamed=bool(kill % 4))
        assert in_a_process(words, soak.outputs, fault) == -signal.SIGKILL, kill
    assert in_a_process(words, soak.outputs) == 0
    assert outcome(tmp_path / "killed") == soak.expected
    leftovers = [path for path in (tmp_path / "killed").rglob(".*") if path.is_file()]
    assert leftovers == []


@pytest.mark.parametrize("make", [in_memory, on_disk])
def test_whatever_happens_nothing_is_lost(tmp_path: Path, make: Callable[[Path], Soak]) -> None:
    soak = make(tmp_path)
    soak.go(4, random.Random(1))
    assert soak.problems == []
    assert soak.happened.total() == 4
    assert soak.completed


def test_stopped_by_a_signal_it_saves_and_goes_on_to_the_same_student(tmp_path: Path) -> None:
    def new(folder: str) -> tuple[Classroom, list[str]]:
        teacher = teacher_net()
        return Classroom(teacher, [trainer([CE(), KD(), AT()], teacher, tmp_path / folder, "student", dropout=0.3)]), []

    whole, _ = new("whole")
    loop.fit(whole, quick_data(), "cpu")
    for stop_at in (1, 7, 12):  # steps; 5 make an epoch
        data = quick_data()
        room, _ = new("stopped")
        method = room.trainers[0].distillation.methods["CE"]
        assert isinstance(method, CE)

        def stop(batch: object, at: int = stop_at, counted: list[object] = [], room: Classroom = room) -> None:  # noqa: B006
            counted.append(batch)
            if room.trainers[0].epoch * 5 + room.trainers[0].step + 1 == at:
                os.kill(os.getpid(), signal.SIGINT)

        method.after_step = stop  # type: ignore[method-assign] # a stand-in for the test
        with pytest.raises(loop.Stopped, match="the same command goes on"):
            loop.fit(room, data, "cpu")
    room, _ = new("stopped")
    loop.fit(room, quick_data(), "cpu")
    assert_same(weights(whole.trainers[0]), weights(room.trainers[0]))
    bare = [[{**row, "seconds": 0} for row in one.trainers[0].rows] for one in (whole, room)]
    assert bare[0] == bare[1]


def test_a_long_epoch_is_saved_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    one = trainer([CE()], None, tmp_path, "ce")
    saved: list[tuple[int, int]] = []
    original = one.run.save

    def save(state: dict[str, object], rows: list[dict[str, object]]) -> None:
        saved.append(state["position"])  # type: ignore[arg-type]
        original(state, rows)

    monkeypatch.setattr(one.run, "save", save)
    loop.fit(Classroom(None, [one]), quick_data(), "cpu")
    assert (0, 1) in saved
    assert (2, 5) in saved


def test_a_changed_teacher_fails_the_run(tmp_path: Path) -> None:
    teacher = teacher_net()
    one = trainer([CE(), KD()], teacher, tmp_path, "kd")
    method = one.distillation.methods["KD"]

    def spoil(batch: object) -> None:
        with torch.no_grad():
            teacher.head.weight.view(-1)[0].add_(1e-6)  # type: ignore[operator]

    method.after_step = spoil  # type: ignore[assignment] # a stand-in for the test
    with pytest.raises(RuntimeError, match="teacher's weights or buffers changed"):
        loop.fit(Classroom(teacher, [one]), quick_data(), "cpu")
    assert not one.run.is_done


def test_result_reports_the_last_epoch_and_the_best_beside_it(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce", config=TrainConfig(epochs=4, batch_size=8))
    loop.fit(Classroom(None, [one]), quick_data(), "cpu")
    result, top1 = one.run.result, [row["top1"] for row in one.rows]
    assert result["top1"] == top1[-1]
    assert result["best_top1"] == max(top1)
    assert result["best_epoch"] == 1 + top1.index(max(top1))
    assert not (one.run.folder / "state.pt").exists()


def test_with_a_validation_split_the_test_images_are_not_chosen_by(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce")
    data = quick_data(validation=0.25)
    loop.fit(Classroom(None, [one]), data, "cpu")
    assert one.run.result["best_measured_on"] == "validation"
    assert data.validation is not None
    scores = evaluate(one.model, data.validation, torch.device("cpu"))
    assert one.rows[-1]["top1"] == scores.top1
