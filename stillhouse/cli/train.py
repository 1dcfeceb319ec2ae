"""`stillhouse train`: a network that learns from labels only, such as a teacher or a baseline."""

from __future__ import annotations

from ..analysis.tables import Line, comparison
from ..data import Data
from ..spelling import counted
from ..training.cache.store import CacheStore
from ..training.classroom import Classroom
from ..training.compile import compile_classroom, keep_large_blocks
from ..training.evaluation import Scores, size_of
from ..training.loop import fit
from ..training.memory import split_by_memory
from ..training.progress import Display
from ..training.student import StudentTrainer
from .groups.run import RunOptions
from .options.train import Train
from .runs.build import trainer_alone
from .runs.other_runs import notes_on_other_runs


def train(command: Train, display: Display) -> None:
    command.run.tracking.check()
    display.all_terms = command.shown.terms == "all"
    source = command.network.source()
    source.check()
    data = command.run.load(display)
    options = command.run.for_data(data)
    trainer = trainer_alone(source, data, options, command.naming.name, say=display.note)
    for note in notes_on_other_runs(trainer, "to continue from its weights instead, add --weights {weights}"):
        display.note(note)
    fit_alone(trainer, data, options, display)
    parameters, macs = size_of(trainer.model, data.info.image_size)
    line = Line(source.short, parameters, macs, *outcome(trainer))
    display.console.print(comparison([line], title(data, options)))
    display.say(f"kept in {trainer.run.folder}")


def fit_alone(trainer: StudentTrainer, data: Data, options: RunOptions, display: Display) -> None:
    """Train a network without a teacher, unless its run is done."""
    if trainer.run.is_done:
        display.say(f"{trainer.name}: already trained, {trainer.run.folder}")
        return
    display.say(f"{trainer.name}: {counted(trainer.epochs, 'epoch')}, {trainer.run.folder}")
    fit_room(Classroom(None, [trainer]), data, options, display)


def fit_room(
    room: Classroom,
    data: Data,
    options: RunOptions,
    display: Display,
    teacher_scores: Scores | None = None,
    store: CacheStore | None = None,
    memory_budget: float | None = None,
    memory_share: float = 1.0,
) -> None:
    """Train the students of a room, as many at a time as fit into memory, or into a share of it."""
    device = options.device.torch_device()
    capture = options.capturing.capture
    speed_up(room, options.compilation.compile, device.type, display, graphs=capture == "off")
    for part in split_by_memory(room, data.info, device, memory_budget, capture, memory_share):
        if len(part.trainers) < len(room.trainers):
            names = " and ".join(trainer.name for trainer in part.trainers)
            display.note(f"there is too little memory for all students at once; now {names}")
        display.set_share(len(part.trainers) / len(room.trainers))
        fit(part, data, device, display, teacher_scores, store, capture)


def speed_up(room: Classroom, wants_compile: bool, device: str, display: Display, graphs: bool = True) -> None:
    """Prepare a room's networks for many steps; compiled ones become graphs unless whole steps do."""
    keep_large_blocks()
    display.note(compile_classroom(room, device, graphs, say=display.note) if wants_compile else None)


def title(data: Data, options: RunOptions) -> str:
    """Return the title of the table of results."""
    best = "; best epoch by the validation images" if data.validation else ""
    return f"{data.name}, {counted(options.config.epochs, 'epoch')}, seed {options.output.seed}{best}"


def outcome(trainer: StudentTrainer) -> tuple[float, float]:
    """Return a finished run's top-1 after its last and its best epoch, in percent."""
    result = trainer.run.result
    return float(str(result["top1"])), float(str(result["best_top1"]))
