"""What state.pt holds is checked before anything resumes from it."""

import copy
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.checkpoints import load_state, save_state
from stillhouse.methods import CE, KD
from stillhouse.taps import Outputs
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from stillhouse.training.progress import Display
from stillhouse.training.run_files import dump_rows, read_rows
from stillhouse.training.saved_state import SavedState
from stillhouse.training.student import StudentTrainer
from tests.helpers.commands import contents
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net, trainer


class Interrupted(Exception):  # noqa: N818 (it is no error)
    """As if the process had been killed."""


def killed_in_the_second_epoch(folder: Path, name: str = "student") -> StudentTrainer:
    """Train until step 3 of epoch 2 of 3, of 5 steps each, and save there."""
    teacher = teacher_net()
    one = trainer([CE(), KD()], teacher, folder, name)
    train_step = one.train_step

    def counted(batch: Batch, outputs: Outputs | None) -> None:
        if (one.epoch, one.step) == (1, 3):
            one.save()
            raise Interrupted
        train_step(batch, outputs)

    with patch.object(one, "train_step", counted), pytest.raises(Interrupted):
        fit(Classroom(teacher, [one]), quick_data(), "cpu")
    return one


def resumed(folder: Path, name: str = "student", display: Display | None = None) -> StudentTrainer:
    teacher = teacher_net()
    one = trainer([CE(), KD()], teacher, folder, name)
    fit(Classroom(teacher, [one]), quick_data(), "cpu", display)
    return one


def test_a_state_is_read_as_it_was_written() -> None:
    weights, losses = {"w": torch.ones(2)}, {"names": ["CE"], "sums": torch.ones(1), "steps": 4}
    optimizer: dict[str, Any] = {"state": {}, "param_groups": []}
    state = SavedState((3, 4), 12.5, (88.25, 2), losses, weights, optimizer, "run-1234", "abcd")
    assert SavedState.from_dict(state.to_dict()) == state


def test_states_of_version_0_1_0_have_neither_run_nor_rows(tmp_path: Path) -> None:
    killed_in_the_second_epoch(tmp_path / "old")
    whole = resumed(tmp_path / "whole")
    (path,) = tmp_path.glob("old/*/state.pt")
    state = load_state(path)
    assert set(state) == {"position", "seconds", "best", "tally", "distillation", "optimizer", "run", "rows", "threads"}
    del state["run"], state["rows"], state["threads"]
    save_state(path, state)
    old = resumed(tmp_path / "old")
    files = [one.run.folder / "student.safetensors" for one in (whole, old)]
    assert files[0].read_bytes() == files[1].read_bytes()


Change = Callable[[dict[str, Any]], object]


def poison(state: dict[str, Any]) -> None:
    next(iter(state["distillation"].values())).fill_(math.nan)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda s: s.pop("optimizer"), "it has no 'optimizer'"),
        (lambda s: s.clear(), "it has no 'position'"),
        (lambda s: s.update(position="12"), "its position cannot be read"),
        (lambda s: s.update(position=(-1, 0)), "its position cannot be read"),
        (lambda s: s.update(position=(1.0, 3.0)), "its position cannot be read"),
        (lambda s: s.update(position=(1, 10**12)), "it is at step 1000000000000 and has the losses of 3"),
        (lambda s: (s.update(position=(1, 9)), s["tally"].update(steps=9)), "it is at step 10 of an epoch that has 5"),
        (lambda s: s.update(position=(1, 2)), "it is at step 2 and has the losses of 3"),
        (lambda s: s.update(position=(7, 3)), "it is at epoch 7 of 3|metrics.jsonl has 1 of the 7 epochs"),
        (lambda s: s.update(seconds=math.nan), "its position cannot be read"),
        (lambda s: s.update(best=(math.nan, 1)), "its position cannot be read"),
        (lambda s: s.update(tally=[1]), "its losses cannot be read"),
        (lambda s: s["tally"].update(sums=torch.tensor([math.nan, 1.0])), "the sums of the losses cannot be read"),
        (lambda s: s.update(distillation={"w": 1}), "its weights cannot be read"),
        (lambda s: s.update(distillation={}), "Missing key"),
        (poison, "its weights contain NaN or infinity"),
        (lambda s: s.update(optimizer=[]), "its optimiser cannot be read"),
        (lambda s: s["optimizer"].update(param_groups=[]), "different number of parameter groups"),
        (lambda s: s["optimizer"].update(param_groups=3), "param_groups|object"),
        (lambda s: s.update(run=3), "the name of its run cannot be read"),
        (lambda s: s.update(run="other-1234"), "it belongs to other-1234"),
    ],
)
def test_a_state_that_cannot_be_one_is_refused_and_nothing_is_changed(tmp_path: Path, change: Change, why: str) -> None:
    run = killed_in_the_second_epoch(tmp_path).run
    state = load_state(run.folder / "state.pt")
    change(state)
    save_state(run.folder / "state.pt", state)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=rf"({why}).*; (restore it, or )?move .* away to start again$"):
        resumed(tmp_path)
    assert contents(tmp_path) == before


def test_a_state_of_another_run_is_refused(tmp_path: Path) -> None:
    ours, other = (killed_in_the_second_epoch(tmp_path, name).run.folder for name in ("student", "other"))
    (ours / "state.pt").write_bytes((other / "state.pt").read_bytes())
    with pytest.raises(ValueError, match=rf"it belongs to {re.escape(other.name)}"):
        resumed(tmp_path)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda path: path.unlink(), "metrics.jsonl has 0 of the 1 epochs that state.pt continues; restore it"),
        (lambda path: path.write_text(""), "metrics.jsonl has 0 of the 1 epochs that state.pt continues"),
        (lambda path: path.write_text(path.read_text() * 2), "line 2 is for epoch 1"),
        (lambda path: path.write_text(path.read_text().replace("0.05", "NaN")), "NaN is not a finite number"),
        (lambda path: path.write_text(path.read_text().replace("0.05", "0.06")), "metrics.jsonl is not what the run"),
    ],
)
def test_measurements_that_are_lost_or_invented_stop_it(
    tmp_path: Path, damage: Callable[[Path], object], why: str
) -> None:
    run = killed_in_the_second_epoch(tmp_path).run
    damage(run.folder / "metrics.jsonl")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=rf"{why}.*move .* away to (start|train) again$"):
        resumed(tmp_path)
    assert contents(tmp_path) == before


def test_a_row_behind_the_point_saved_last_is_written_anew(tmp_path: Path) -> None:
    """A process may be killed between writing metrics.jsonl and state.pt."""
    whole = resumed(tmp_path / "whole")
    run = killed_in_the_second_epoch(tmp_path).run
    later = copy.deepcopy(read_rows(run.folder))[0] | {"epoch": 2, "top1": 1.0}
    (run.folder / "metrics.jsonl").write_text(dump_rows([*read_rows(run.folder), later]))
    resumed(tmp_path)
    rows = [[{**row, "seconds": 0} for row in read_rows(folder)] for folder in (run.folder, whole.run.folder)]
    assert rows[0] == rows[1]


def test_another_number_of_threads_is_noted_on_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for threads, noted in ((3, True), (0, False), (torch.get_num_threads(), False)):
        killed_in_the_second_epoch(tmp_path / str(threads))
        (path,) = tmp_path.glob(f"{threads}/*/state.pt")
        save_state(path, {**load_state(path), "threads": threads})
        capsys.readouterr()
        resumed(tmp_path / str(threads), display=Display())
        said = f"begun with 3 threads and goes on with {torch.get_num_threads()}, so the last bits may differ"
        assert (said in capsys.readouterr().out) is noted
