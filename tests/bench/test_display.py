"""A bench on a terminal and in a file."""

import io
from pathlib import Path

import pytest

from stillhouse.bench.display import BenchDisplay
from stillhouse.bench.entries import entries
from stillhouse.bench.plan import Cell, cells
from stillhouse.methods import CE, KD
from stillhouse.training.classroom import Classroom
from stillhouse.training.progress import Display, _Console
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.training import teacher_net, trainer


@pytest.fixture
def plan(tmp_path: Path) -> dict[StudentTrainer, Cell]:
    found = cells([{"teacher": "resnet56", "student": "resnet20"}], entries("CE, CE + KD", None), [0], {})
    return {trainer([CE()], None, tmp_path, cell.label): cell for cell in found}


def row(epoch: int, top1: float) -> dict[str, object]:
    return {"epoch": epoch, "top1": top1, "seconds": 2.5}


def test_a_line_for_each_epoch_of_a_room(plan: dict[StudentTrainer, Cell], capsys: pytest.CaptureFixture[str]) -> None:
    display = BenchDisplay(Display())
    runs = {cell: Run(Path("nowhere"), cell.label, {}) for cell in plan.values()}
    display.plan(runs, 2, 3661)
    display.begin(plan)
    for epoch in (1, 2):
        for one in plan:
            display.row(one, row(epoch, 10.0 * epoch))
    display.say("once")
    display.say("once")
    display.results({next(iter(runs)): "made up"})
    out = capsys.readouterr().out
    assert "bench: 1 pair x 2 methods x 1 seed: 2 students, 0 trained before, 2 to train, about 1:01:01\n" in out
    assert "resnet56-resnet20, seed 0, epoch 1/3: CE 10.00  CE + KD 10.00  2.5 s\n" in out
    assert out.count("epoch ") == 2
    assert out.count("once") == 1
    assert "failed: resnet56-resnet20, CE, seed 0: made up\n" in out


def test_a_table_that_fills_up_on_a_terminal(plan: dict[StudentTrainer, Cell]) -> None:
    plain = Display()
    plain.console = _Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    display = BenchDisplay(plain)
    display.plan({cell: Run(Path("nowhere"), cell.label, {}) for cell in plan.values()}, 2, 1)
    room = Classroom(None, list(plan))
    with display:
        display.begin(plan)
        display.epoch(room, 0, 5)
        display.row(next(iter(plan)), row(1, 12.5))
        display.step(room, 3)
    assert isinstance(plain.console.file, io.StringIO)
    shown = plain.console.file.getvalue()
    assert "(12.50 after 1)" in shown
    assert "step 3/5" in shown


def test_a_warning_about_terms_is_given_once_for_all_seeds_and_nothing_where_all_is_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = cells([{"teacher": "resnet56", "student": "resnet20"}], entries("CE + KD, CE + KD(1)", None), [0, 1], {})
    teacher = teacher_net()
    plan = {trainer([CE(), KD()], teacher, tmp_path, f"{cell.label} {cell.seed}"): cell for cell in found}
    display = BenchDisplay(Display())
    display.begin(plan)
    for one, cell in plan.items():
        one.move_to(one.epochs)
        norms = {"CE": 1e-6 if cell.label == "CE + KD" else 1.0, "KD": 1.0}
        one.optimizer.doctor.norms = {1: norms, 3: norms}
        display.gradients(one)
        display.gradients(one)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        "note: CE + KD 0: share of the gradient in its trunk, first 3 steps: CE below 0.1 %, KD 100 %"
    )
