"""The loop: interrupted or killed at any moment, it ends where an undisturbed run ends, bit for bit."""

import itertools
import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from stillhouse.batch import Batch
from stillhouse.checkpoints import fingerprint
from stillhouse.data import Split
from stillhouse.methods import AT, CE, FT, KD
from stillhouse.taps import Tapped
from stillhouse.training import loop
from stillhouse.training.cache.store import CacheStore
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.evaluation import Scores, evaluate, size_of
from stillhouse.training.predictions import read_predictions
from stillhouse.training.progress import Display
from stillhouse.training.student import StudentTrainer
from stillhouse.training.versions import versions
from tests.helpers.commands import contents
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights
from tests.soak import Fault, Soak, in_a_process, in_memory, on_disk, outcome


def fit_one(teacher: Tapped | None, one: StudentTrainer) -> None:
    loop.fit(Classroom(teacher, [one]), quick_data(), "cpu")


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
        with pytest.raises(loop.Stopped, match="run the same command again to resume"):
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


def test_only_students_with_a_teacher_report_how_often_its_outputs_were_cached(tmp_path: Path) -> None:
    teacher, config = teacher_net(), TrainConfig(epochs=1, batch_size=8)
    taught = trainer([CE(), KD()], teacher, tmp_path, "kd", config=config)
    alone = trainer([CE()], None, tmp_path, "ce", config=config)
    store = CacheStore(tmp_path / "cache", "on")
    loop.fit(Classroom(teacher, [taught, alone]), quick_data(), "cpu", cache_store=store)
    assert taught.run.result["teacher_cache_hits"] == 0.0
    assert "teacher_cache_hits" not in alone.run.result


def test_without_a_display_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # trained, and found trained
        fit_one(None, trainer([CE()], None, tmp_path, "ce", config=TrainConfig(epochs=1, batch_size=8)))
    assert capfd.readouterr() == ("", "")


def test_result_says_what_was_run_and_the_folder_what_was_guessed(tmp_path: Path) -> None:
    one, data = trainer([CE()], None, tmp_path, "ce", config=TrainConfig(epochs=1, batch_size=8)), quick_data()
    loop.fit(Classroom(None, [one]), data, "cpu")
    result, guessed = one.run.result, read_predictions(one.run.folder)
    assert (result["parameters"], result["macs"]) == size_of(one.model, data.info.image_size)
    assert result["data_hash"] == data.fingerprint
    assert result["weights_hash"] == fingerprint(one.model)
    assert result.items() >= versions().items()
    assert guessed is not None
    assert 100 * guessed.correct.float().mean().item() == result["top1"]
    scores = evaluate(one.model, data.test, "cpu")
    assert guessed.labels.tolist() == scores.labels.tolist()
    assert guessed.guesses.tolist() == scores.logits.argmax(1).tolist()


def test_a_network_whose_operations_cannot_be_counted_is_finished_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise NotImplementedError("no formula for this operation")

    monkeypatch.setattr(loop, "size_of", refuse)
    one = trainer([CE()], None, tmp_path, "ce", config=TrainConfig(epochs=1, batch_size=8))
    loop.fit(Classroom(None, [one]), quick_data(), "cpu")
    assert one.run.result["parameters"] == sum(value.numel() for value in one.model.parameters())
    assert "macs" not in one.run.result


def test_with_a_validation_split_the_test_images_are_not_chosen_by(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce")
    data = quick_data(validation=0.25)
    loop.fit(Classroom(None, [one]), data, "cpu")
    assert one.run.result["best_measured_on"] == "validation"
    assert data.validation is not None
    scores = evaluate(one.model, data.validation, torch.device("cpu"))
    assert one.rows[-1]["top1"] == scores.top1


@pytest.mark.parametrize(("validation", "times"), [(0.0, 2), (0.25, 3)])
def test_the_test_images_are_not_measured_twice_after_the_last_epoch(
    tmp_path: Path, validation: float, times: int
) -> None:
    one = trainer([CE()], None, tmp_path, "ce", config=TrainConfig(epochs=2, batch_size=8))
    with patch.object(loop, "evaluate", side_effect=evaluate) as measured:
        loop.fit(Classroom(None, [one]), quick_data(validation=validation), "cpu")
    assert measured.call_count == times


def test_a_run_that_was_killed_before_its_outcome_measures_again(tmp_path: Path) -> None:
    ends = [trainer([CE()], None, tmp_path / name, "ce") for name in ("killed", "whole")]
    with patch.object(loop, "_finish", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        fit_one(None, ends[0])
    assert not ends[0].run.is_done
    again = trainer([CE()], None, tmp_path / "killed", "ce")
    for one in (again, ends[1]):
        fit_one(None, one)
    assert again.run.result["test_loss"] == ends[1].run.result["test_loss"]


def test_only_a_run_that_was_begun_goes_on_and_what_is_done_is_said(tmp_path: Path) -> None:
    words = list[str]()
    display = Display(quiet=True)
    with patch.object(display, "say", lambda text, style="": words.append(text)):
        for is_stopped in (True, False, False):
            one = trainer([method := CE()], None, tmp_path, "ce")
            words.append("again")
            if is_stopped:
                method.after_step = lambda batch: os.kill(os.getpid(), signal.SIGINT)  # type: ignore[method-assign]
            with suppress(loop.Stopped):
                loop.fit(Classroom(None, [one]), quick_data(), display=display)  # on the device that there is
    folder = one.run.folder
    went_on, done = f"ce: resumes at epoch 1 of 3, step 2 ({folder})", f"ce: already trained, {folder}"
    assert [line for line in words if not line.startswith(("ce  ", "    "))] == [
        "again",
        "again",
        went_on,
        "again",
        done,
    ]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    teacher = teacher_net()
    one = trainer([CE(), FT(warmup_epochs=1)], teacher, tmp_path, "ft")
    fit_one(teacher, one)
    before = contents(tmp_path)

    again = trainer([CE(), FT(warmup_epochs=1)], teacher := teacher_net(), tmp_path, "ft")
    with patch.object(StudentTrainer, "train_step", side_effect=AssertionError("it is trained")):
        fit_one(teacher, again)
    assert again.is_done
    assert_same(weights(one), weights(again))
    for name, value in one.distillation.methods.state_dict().items():
        assert torch.equal(again.distillation.methods.state_dict()[name], value), name
    assert (again.rows, again.best) == (one.rows, one.best)
    assert contents(tmp_path) == before


def test_beside_a_finished_student_the_other_is_trained_as_if_alone(tmp_path: Path) -> None:
    teacher = teacher_net()
    fit_one(teacher, alone := trainer([CE(), KD()], teacher, tmp_path / "alone", "kd"))
    fit_one(None, trainer([CE()], None, tmp_path, "ce"))
    teacher = teacher_net()
    both = [trainer([CE()], None, tmp_path, "ce"), trainer([CE(), KD()], teacher, tmp_path, "kd")]
    loop.fit(Classroom(teacher, both), quick_data(), "cpu")
    assert_same(weights(alone), weights(both[1]))


def test_a_damaged_outcome_stops_all_before_a_step_is_trained(tmp_path: Path) -> None:
    fit_one(None, one := trainer([CE()], None, tmp_path, "ce"))
    (one.run.folder / "model.safetensors").unlink()
    both = [trainer([CE()], None, tmp_path, "other"), trainer([CE()], None, tmp_path, "ce")]
    with (
        patch.object(StudentTrainer, "train_step", side_effect=AssertionError("it is trained")),
        pytest.raises(ValueError, match=r"model.safetensors is missing or cut off"),
    ):
        loop.fit(Classroom(None, both), quick_data(), "cpu")


def test_each_epoch_shows_its_own_views_in_its_own_order(tmp_path: Path) -> None:
    one = trainer([method := CE()], None, tmp_path, "ce")
    seen: list[tuple[list[int], list[int]]] = []

    def look(batch: Batch) -> None:
        assert batch.views is not None
        seen.append((batch.indices.tolist(), batch.views.tolist()))

    method.after_step = look  # type: ignore[method-assign] # a stand-in for the test
    fit_one(None, one)
    split = quick_data().train
    expected = [
        (batch.indices.tolist(), batch.views.tolist())
        for epoch in range(3)
        for batch in split.epoch(epoch, "cpu")
        if batch.views is not None
    ]
    assert seen == expected
    views = [
        {image: view for images, drawn in epoch for image, view in zip(images, drawn, strict=True)}
        for epoch in (seen[:5], seen[5:10], seen[10:])
    ]
    assert views[0].keys() == views[1].keys() == views[2].keys()
    assert all(one != other for one, other in itertools.combinations(views, 2))


def test_asked_to_stop_in_the_last_evaluation_it_finishes_and_says_so(tmp_path: Path) -> None:
    one = trainer([CE()], None, tmp_path, "ce")

    def asked_in_the_end(model: nn.Module, split: Split, device: torch.device) -> Scores:
        if one.is_done:
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(model, split, device)

    with (
        patch.object(loop, "evaluate", asked_in_the_end),
        pytest.raises(
            loop.Stopped, match="after the last epoch, and everything is saved; run the same command again to resume"
        ),
    ):
        loop.fit(Classroom(None, [one]), quick_data(validation=0.25), "cpu")
    assert one.run.is_done
