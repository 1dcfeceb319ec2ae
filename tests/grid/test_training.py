"""Settings that are trained batch by batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from stillhouse.bench.plan import Cell
from stillhouse.bench.run import Comparison
from stillhouse.grid.display import GridDisplay
from stillhouse.grid.halving import Halving
from stillhouse.grid.student import BaseStudent
from stillhouse.grid.training import Training
from stillhouse.methods.parse import parse
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run
from tests.grid.runs import MadeUp

BASE = BaseStudent({"teacher": "resnet56", "student": "resnet20"}, tuple(parse("CE")), {"epochs": 9})


class Trained:
    """A comparison whose students are as good as their learning rate, and fail when it is above 1."""

    log: ClassVar[list[tuple[list[float], float]]] = []

    def __init__(self, cells: Sequence[Cell], display: GridDisplay, per_seed: bool, part: float):
        self.runs: dict[Cell, Run] = {}
        self.failures: dict[Cell, str] = {}
        self.take(cells, part)

    def take(self, cells: Sequence[Cell], part: float) -> None:
        self._cells, self._part = cells, part

    def train(self, elsewhere: object) -> None:
        Trained.log.append(([lr(one) for one in self._cells], self._part))
        self.failures |= {one: "made up" for one in self._cells if self._part == 1 and lr(one) > 1}
        for one in self._cells:
            is_done = self._part == 1 and one not in self.failures
            self.runs[one] = MadeUp(100 * lr(one), 1.0) if is_done else Run(Path("nowhere"), "", {})

    def after_part(self, cell: Cell) -> dict[str, float]:
        return {"epoch": 9 * self._part, "top1": 100 * lr(cell)}


def lr(cell: Cell) -> float:
    return cell.command.run.config.lr


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[float], float]]:
    monkeypatch.setattr("stillhouse.grid.training.Comparison", Trained)
    monkeypatch.setattr(Trained, "log", [])
    assert vars(Comparison).keys() >= {"take", "train", "after_part"}
    return Trained.log


def training(halving: Halving | None = None, seeds: int = 1) -> Training:
    display = GridDisplay(Display(quiet=True), "made up")
    return Training(BASE, range(seeds), display, False, lambda settings, part: None, halving)


def test_settings_that_are_proposed_again_are_trained_once(log: list[object]) -> None:
    one = training(seeds=2)
    first = one.train([{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.1}])
    assert [found.mean for found in first] == [10.0, 20.0, 10.0]
    assert [found.mean for found in one.train([{"lr": 0.2}, {"lr": 0.3}])] == [20.0, 30.0]
    assert log == [([0.1, 0.2, 0.1, 0.2], 1.0), ([0.3, 0.3], 1.0)]
    assert list(one.cells.values()) == [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}]


def test_only_the_best_third_is_trained_to_the_end(log: list[object]) -> None:
    one = training(Halving(9))
    found = one.train([{"lr": number / 10} for number in range(1, 10)])
    assert log[1:] == [([0.7, 0.8, 0.9], 1 / 3), ([0.9], 1.0)]
    assert [part.stop.epochs if part.stop else None for part in found] == [1] * 6 + [3, 3, None]
    assert [part.is_complete for part in found] == [False] * 8 + [True]


def test_a_setting_that_fails_near_the_end_does_not_stop_later_ones(log: list[object]) -> None:
    one = training(Halving(3))
    assert not any(found.is_complete for found in one.train([{"lr": 0.1}, {"lr": 0.2}, {"lr": 1.5}]))
    assert [found.is_complete for found in one.train([{"lr": 0.3}])] == [True]
    assert log[-1] == ([0.3], 1.0)
