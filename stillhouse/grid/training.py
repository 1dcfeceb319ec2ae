"""The training of a grid: batches of settings, each with every seed, some of which may be stopped early."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..bench.plan import Cell
from ..bench.run import Comparison, Elsewhere
from ..spelling import counted
from .axes import Settings, words
from .display import GridDisplay
from .halving import Halving, Stop, reached
from .scores import Scored, scored
from .student import BaseStudent


class Training:
    """Trains settings, each once however often it is proposed, and remembers what became of them.

    Args:
        base: The student whose settings they are.
        display: Shows the progress.
        teacher_per_seed: Train a teacher without weights once per seed.
        elsewhere: Is given settings and a part of their epochs, and returns what trains them in other processes.
        halving: Stops most settings early; None trains all to the end.
        memory_share: Share of the memory budget to use.
    """

    def __init__(
        self,
        base: BaseStudent,
        seeds: Sequence[int],
        display: GridDisplay,
        teacher_per_seed: bool,
        elsewhere: Callable[[Sequence[Settings], float], Elsewhere | None],
        halving: Halving | None = None,
        memory_share: float = 1.0,
    ):
        self.base, self.seeds, self.display = base, seeds, display
        self.cells: dict[int, Settings] = {}  # numbered as they came
        self._numbers: dict[str, int] = {}  # by the settings in words
        self.members: dict[int, list[Cell]] = {}
        self._per_seed, self._elsewhere, self._halving = teacher_per_seed, elsewhere, halving
        self._memory_share = memory_share
        self._stops: dict[int, Stop] = {}
        self._comparison: Comparison | None = None

    def train(self, batch: Sequence[Settings]) -> list[Scored]:
        """Train settings that have not been trained, and return what became of each."""
        going = self._take(batch)
        if self._halving is not None:
            for part in self._halving.parts:
                going = self._halve(self._halving, going, part)
        if going:
            self._train(going, 1.0)
        if self._halving is not None:
            ends = zip(going, self.scored(going), strict=True)
            self._halving.forget(number for number, found in ends if not found.is_complete)
        return self.scored(self._numbers[repr(settings)] for settings in batch)

    def train_room(self, batch: Sequence[Settings], room: int, part: float) -> None:
        """Train one room of settings, counted from 1, for a part of their epochs."""
        self._prepared(self._take(batch), part).train_room(room)

    def scored(self, numbers: Iterable[int]) -> list[Scored]:
        """Return what became of settings."""
        runs = self._comparison.runs if self._comparison else {}
        return [scored({one: self.cells[one]}, self.members, runs, self._stops)[0] for one in numbers]

    def raise_failures(self) -> None:
        """Raise ValueError if students failed."""
        if self._comparison is not None:
            self._comparison.raise_failures()

    @property
    def failures(self) -> Mapping[Cell, str]:
        return self._comparison.failures if self._comparison else {}

    def _take(self, batch: Sequence[Settings]) -> list[int]:
        """Return the numbers of the settings that are new."""
        new = []
        for settings in batch:
            number = self._numbers.setdefault(repr(settings), len(self.cells))
            if number not in self.cells:
                self.cells[number], self.members[number] = settings, self.base.cells(settings, self.seeds)
                new.append(number)
        return new

    def _prepared(self, numbers: Sequence[int], part: float) -> Comparison:
        """Return the comparison, about to train these settings for a part of their epochs."""
        each = [one for number in numbers for one in self.members[number]]
        students = sorted(each, key=lambda one: one.seed)  # rooms of the first seed first
        if self._comparison is None:
            self._comparison = Comparison(students, self.display, self._per_seed, part)
            self._comparison.memory_share = self._memory_share
        else:
            self._comparison.take(students, part)
        return self._comparison

    def _train(self, numbers: Sequence[int], part: float) -> Comparison:
        comparison = self._prepared(numbers, part)
        comparison.train(self._elsewhere([self.cells[number] for number in numbers], part))
        return comparison

    def _halve(self, halving: Halving, going: Sequence[int], part: float) -> list[int]:
        """Train settings for a part of their epochs, and return the numbers of those that go on."""
        if not going:
            return []
        comparison = self._train(going, part)
        found = reached(comparison, {number: self.members[number] for number in going})
        best = halving.go_on(part, {number: stop.mean for number, stop in found.items()})
        self._stops |= {number: stop for number, stop in found.items() if number not in best}
        halving.forget(number for number in going if number not in found)
        first = max(found, key=lambda number: found[number].mean, default=None)
        if first is not None:
            self.display.say(
                f"after {100 * part:.0f} % of the epochs {len(best)} of {counted(len(going), 'setting')} go on; best: "
                f"{words(self.cells[first])}, validation {found[first].mean:.2f} after "
                f"{counted(found[first].epochs, 'epoch')}"
            )
        return [number for number in going if number in best]
