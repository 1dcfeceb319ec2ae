"""The run of a bench: teachers first, then the untrained students room by room, then the table."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import sleep

from ..cli.arguments import named_values
from ..cli.distill import Opened, opened
from ..cli.runs.build import run_alone, run_taught, trainer_alone, trainer_taught
from ..cli.train import fit_alone, fit_room
from ..plan.pace import Pace
from ..plan.timing import measured
from ..spelling import counted
from ..training.classroom import Classroom
from ..training.evaluation import Scores
from ..training.run_files import Row
from ..training.run_folder import Run
from ..training.student import StudentTrainer
from ..training.teachers.examine import examine, in_words
from ..training.teachers.located import locate
from .claims import Claims, is_claimed
from .display import BenchDisplay
from .plan import Cell, Room, rooms

Elsewhere = Callable[[Mapping[int, str]], None]
LOOK_EVERY = 2.0  # seconds between checks of runs that other processes train


class Comparison:
    """Train every student of a bench that is not trained yet.

    Args:
        cells: The students.
        display: Shows their progress, and the results at the end.
        teacher_per_seed: Train a teacher without weights once per seed, not once for all seeds.
        part: Of each student's epochs, to be trained now.
    """

    def __init__(self, cells: Sequence[Cell], display: BenchDisplay, teacher_per_seed: bool = False, part: float = 1.0):
        self.display = display
        self.failures: dict[Cell, str] = {}
        self._per_seed, self._first_seed = teacher_per_seed, min(cell.seed for cell in cells)
        self._known: dict[str, Opened] = {}
        self._scores: dict[str, Scores | None] = {}
        self.rooms: list[Room] = []
        self.runs: dict[Cell, Run] = {}
        self._part, self._epochs = part, dict[Cell, int]()
        self.memory_share = 1.0  # of the memory budget
        self.take(cells, part)

    def take(self, cells: Sequence[Cell], part: float = 1.0) -> None:
        """Train these students next, or a part of their epochs, beside what is known of those before."""
        self._part = part
        self.rooms = [self._with_trained_teacher(room) for room in rooms(cells)]
        self.runs |= {cell: self._run(room, cell) for room in self.rooms for cell in room.cells}

    @property
    def waiting(self) -> list[Cell]:
        """Return the students of these rooms that have not failed and are not trained as far as they are to be now."""
        here = (cell for room in self.rooms for cell in room.cells)
        return [cell for cell in here if cell not in self.failures and not self._is_trained(cell)]

    def _is_trained(self, cell: Cell) -> bool:
        return self.runs[cell].is_done or (self._part < 1 and self.after_part(cell) is not None)

    def after_part(self, cell: Cell) -> Row | None:
        """Return the measurements of a student after the part of its epochs that is trained now; None if not there."""
        rows = [row for row in self.runs[cell].rows() if row["phase"] == "distillation"]
        return rows[self._epochs[cell] - 1] if len(rows) >= self._epochs[cell] else None

    def go(self, elsewhere: Elsewhere | None = None) -> None:
        """Train every untrained student, and print the table.

        Args:
            elsewhere: Trains rooms, by number and name, in other processes; the rest is trained here.

        Raises:
            ValueError: If students failed; raised after all others are trained.
        """
        self.train(elsewhere)
        self.display.results(self.failures)
        self.raise_failures()

    def train(self, elsewhere: Elsewhere | None = None) -> None:
        """Train every untrained student, except those that fail; `elsewhere` as in `go`."""
        self.display.plan(self.runs, len(self.waiting), self._seconds_to_go(), self._part)
        if elsewhere:
            waiting = {*self.waiting}
            numbered = {number: room for number, room in enumerate(self.rooms, 1) if {*room.cells} & waiting}
            elsewhere({number: room.name for number, room in numbered.items()})
        self._train_all(self.rooms)

    def train_room(self, number: int) -> None:
        """Train one room, counted from 1, without printing a table.

        Raises:
            ValueError: If there is no such room, or students failed.
        """
        if number > len(self.rooms):
            raise ValueError(f"--room must be at most {len(self.rooms)}, the number of rooms, not {number}")
        self._train_all([self.rooms[number - 1]])
        self.raise_failures()

    def _train_all(self, rooms: Sequence[Room]) -> None:
        members = {cell for room in rooms for cell in room.cells}
        while members & {*self.waiting}:
            if not any([self._train(room) for room in rooms]):
                self.display.note("other processes are training the rest; waiting for them")
                sleep(LOOK_EVERY)

    def raise_failures(self) -> None:
        """Raise ValueError if students failed."""
        if self.failures:
            raise ValueError(f"{counted(len(self.failures), 'student')} of {len(self.runs)} failed; see above")

    def _with_trained_teacher(self, room: Room) -> Room:
        """Return the room with weights for its teacher, which is first trained if it has none."""
        asked = room.command.distillation
        if not room.needs_teacher or locate(room.command.teacher_source()).source.weights:
            return room
        found = opened(room.command, self.display, needs_teacher=False)
        command = room.command if self._per_seed else room.command.with_seed(self._first_seed)
        command = found.complete(command)
        options = command.teacher_run()
        trainer = trainer_alone(command.teacher_source(), found.data, options, say=self.display.note)
        folder = trainer.run.folder
        while not trainer.run.is_done:
            with Claims([folder]) as claims:
                if claims.taken and not trainer.run.is_done:
                    self.display.say(f"teacher {asked.teacher} has no weights yet: it is trained first")
                    fit_alone(trainer, found.data, options, self.display.plain)
            if not claims.taken:
                self.display.note(f"another process is training the teacher {asked.teacher}; waiting for it")
                sleep(LOOK_EVERY)
        return Room(room.cells, folder)

    def _open(self, room: Room) -> Opened:
        """Return the data and the teacher of a room for inspection; they may be of another seed."""
        key = repr((room.teacher, room.command.run.data, room.command.run.split))
        if key not in self._known:
            self._known[key] = opened(room.command, self.display, needs_teacher=room.needs_teacher)
        return self._known[key]

    def _run(self, room: Room, cell: Cell) -> Run:
        shared = self._open(room)
        command = shared.complete(room.command_of(cell))
        self._epochs[cell] = command.run.config.epochs_in(self._part)
        source = command.distillation.student_source()
        if cell.learns_alone or shared.teacher is None:
            return run_alone(source, shared.data, command.run)
        known, config = shared.teacher_identity, named_values(command)
        return run_taught(source, shared.teacher, cell.methods, shared.data, command.run, config, known=known)

    def _train(self, room: Room) -> bool:
        """Train the waiting students of a room that no other process has claimed; return False if there are none."""
        waiting = {self.runs[cell].folder: cell for cell in self.waiting if cell in room.cells}
        if all(is_claimed(folder) for folder in waiting):
            return False
        with Claims(waiting) as claims:
            mine = [waiting[folder] for folder in claims.taken if not self._is_trained(waiting[folder])]
            if mine:
                self._fit(room, mine)
        return bool(mine)

    def _fit(self, room: Room, cells: Sequence[Cell]) -> None:
        command = room.command
        shared = opened(command, self.display, any(cell.needs_strong_view for cell in cells), room.needs_teacher)
        scores = self._examined(room, shared)
        trainers = dict(self._trainers(room, cells, shared))
        if not trainers:
            return
        for trainer, cell in trainers.items():
            trainer.until = trainer.epochs - trainer.config.epochs + self._epochs[cell]
        classroom = Classroom(shared.teacher.net if shared.teacher else None, list(trainers))
        classroom.on_failure = lambda trainer, error: self._failed(trainers[trainer], error)
        self.display.begin(trainers)
        store = command.cache.store(command.run.output.folder)
        options, budget = shared.complete(command).run, command.memory.memory_budget
        fit_room(classroom, shared.data, options, self.display, scores, store, budget, self.memory_share)

    def _examined(self, room: Room, shared: Opened) -> Scores | None:
        """Measure a teacher on the held-out images, once for all seeds."""
        command, teacher = room.command, shared.teacher
        if teacher is None:
            return None
        if room.teacher not in self._scores:
            precision, device = command.precision.dtype, command.run.device.torch_device()
            trusted = command.knowledge.trust_teacher
            scores = examine(teacher, precision, device, shared.data, self.display, trusted)
            self._scores[room.teacher] = scores
            measured = in_words(scores, shared.data)
            self.display.say(f"teacher {teacher.short}: {measured}; {teacher.net.anatomy.describe()}")
        return self._scores[room.teacher]

    def _trainers(self, room: Room, cells: Sequence[Cell], shared: Opened) -> Iterator[tuple[StudentTrainer, Cell]]:
        """Yield the trainers of these students, except those whose method refuses the pair."""
        for cell in cells:
            try:
                yield self._trainer(room, cell, shared), cell
            except Exception as error:
                if isinstance(error, OSError | MemoryError):
                    raise
                self._failed(cell, error)

    def _trainer(self, room: Room, cell: Cell, shared: Opened) -> StudentTrainer:
        command, say = shared.complete(room.command_of(cell)), self.display.note
        source = command.distillation.student_source()
        if cell.learns_alone or shared.teacher is None:
            return trainer_alone(source, shared.data, command.run, say=say)
        config = named_values(command)
        return trainer_taught(source, shared.teacher, cell.methods, shared.data, command.run, config, say=say)

    def _seconds_to_go(self) -> float:
        """Estimate the duration of all waiting training from a few trial steps of each pair's students."""
        total, paces = 0.0, dict[tuple[str, str], Pace]()
        for room in self.rooms:
            waiting = [cell for cell in room.cells if cell in self.waiting]
            if not waiting:
                continue
            pace = paces.get((room.teacher, waiting[0].pair))
            if pace is None:
                pace = paces[room.teacher, waiting[0].pair] = self.pace(room, waiting)
            epochs = {cell.label: self._epochs[cell] for cell in waiting}
            total += pace.seconds(epochs)
        return total

    def pace(self, room: Room, cells: Sequence[Cell]) -> Pace:
        """Measure in a few trial steps, which are undone, how long an epoch of these students of a room takes."""
        shared = self._open(room)
        trainers = {trainer: cell.label for trainer, cell in self._trainers(room, cells, shared)}
        teacher = shared.teacher.net if shared.teacher else None
        device, budget = room.command.run.device.torch_device(), room.command.memory.memory_budget
        return measured(teacher, trainers, shared.data, device, budget=budget).of_an_epoch()

    def _failed(self, cell: Cell, error: Exception) -> None:
        why = str(error)
        if not isinstance(error, ValueError | ArithmeticError):  # a bug, perhaps in the user's method
            where = traceback.extract_tb(error.__traceback__)[-1]
            why = f"{type(error).__name__}: {why} ({Path(where.filename).name}, line {where.lineno})"
        self.failures[cell] = why
        self.display.say(f"{cell}: failed: {why}")
