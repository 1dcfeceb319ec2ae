"""The data and the trained teacher that the students of a room share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..cli.distill import Distill
from ..data import Data
from ..training.progress import Display
from ..training.teachers.located import locate
from ..training.teachers.teacher import Teacher, prepare


@dataclass(frozen=True)
class Opened:
    """Data and teacher of a room.

    Args:
        teacher: None for students that learn from labels alone.
        size: Of the images, in px, where the teacher decides it.
        is_trained: True if the teacher has weights, whether it was needed or not.
    """

    data: Data
    teacher: Teacher | None
    size: int | None
    is_trained: bool

    def complete(self, command: Distill) -> Distill:
        """Return the options of a student with what the data and the teacher decide filled in."""
        return command.for_data(self.data, self.size)


def opened(command: Distill, display: Display, strong_view: bool = False, needs_teacher: bool = True) -> Opened:
    """Load the data of a room, and its teacher if it is needed and has weights.

    Raises:
        ValueError: If they cannot be read.
    """
    found = locate(command.teacher_source())
    is_trained = bool(found.source.weights)
    data = command.run.load(display, strong_view, found.input if is_trained else None)
    size = found.input.size if is_trained else None
    if not (needs_teacher and is_trained):
        return Opened(data, None, size, is_trained)
    found = replace(found, source=command.knowledge.for_data(found.source, data))
    device = command.run.device.torch_device()
    teacher = prepare(found, data, device, command.run.output.seed, say=display.note)
    teacher.net.precision = command.precision.dtype
    return Opened(data, teacher, size, is_trained)
