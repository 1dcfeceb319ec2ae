"""Options of `stillhouse pick`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from ...ranges import TYPE_CHECKING, Range, check_options
from ..groups.length import TeacherEpochOptions
from ..groups.networks import TeacherOptions
from ..groups.run import CacheOptions, MemoryOptions, PrecisionOptions, RunOptions
from ..words.durations import read_milliseconds, read_seconds
from ..words.seeds import read_seeds
from ..words.suited import IN_HELP
from .grid import VALIDATION

if TYPE_CHECKING:
    import torch

    from ...bench.entries import Entry
    from ...pick.fast_enough import Limit


@dataclass(frozen=True)
class PickOptions:
    """Students, their limit, and the time to choose.

    Args:
        teacher: As for stillhouse distill.
        teacher_weights: A file with its trained weights, or `pretrained` for timm's or torchvision's own.
        students: Networks to choose from, separated by commas, named as for --student of stillhouse distill.
        methods: What each is trained by: the losses of one joined by + or commas, several separated by semicolons, such
            as 'CE + KD; CE + AT'.
        max_latency: Leave out students that are slower, such as 5ms (or 0.005s; a number alone is of milliseconds):
            95 % of the calls must not take longer, for the whole of --latency_batch, in eager PyTorch, in the least
            disturbed of three rounds.
        latency_batch: Number of images at once when latency is measured.
        latency_threads: CPU threads when latency is measured.
        latency_on: Device on which latency is measured.
        budget: Time to choose in, such as 30m, 2h or 1h30m, not counting a teacher that has to be trained first: from
            measured steps it becomes a number of epochs before the first one, at most that of a training in full, and
            that number stays when the command is typed again. Without it all epochs are trained.
        seeds: Number of seeds of each candidate, which is judged by their mean (the first is --seed), or the seeds:
            0,1,2.
    """

    teacher: str = "resnet32"
    teacher_weights: str | None = None
    students: str | list[str] | None = None
    methods: str | list[str] = "CE(weight=0.1) + KD(weight=0.9)"
    max_latency: str | float | None = None
    latency_batch: Annotated[int, Range("between 1 and 4096", 1, 4096)] = 1
    latency_threads: Annotated[int, Range("between 1 and 1024", 1, 1024)] = 1
    latency_on: Literal["cpu", "cuda"] = "cpu"
    budget: str | None = None
    seeds: int | str = 1

    def __post_init__(self) -> None:
        check_options(self)
        read_seeds(self.seeds, 0)
        _ = self.milliseconds, self.seconds, self.names

    @property
    def milliseconds(self) -> float | None:
        """The largest latency; None for any."""
        return None if self.max_latency is None else read_milliseconds("--max_latency", self.max_latency)

    @property
    def seconds(self) -> float | None:
        """The budget; None for all the time that it takes."""
        return None if self.budget is None else read_seconds("--budget", self.budget)

    @property
    def names(self) -> list[str]:
        """The students.

        Raises:
            ValueError: If there is none, or one is named twice.
        """
        typed = self.students if self.students is not None else []
        names = [name.strip() for name in (typed.split(",") if isinstance(typed, str) else typed) if name.strip()]
        if not names:
            raise ValueError("--students names none; write the networks to choose from, such as resnet8,resnet14")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"--students names {name} twice; leave one out")
        return names

    def sums(self) -> list[Entry]:
        """Return what each student is trained by.

        Raises:
            ValueError: If it cannot be read, or is given twice.
        """
        from ...bench.entries import entries, students

        several = [one.label for one in students(self.methods)] if isinstance(self.methods, str) else self.methods
        return entries(several, None)

    def limit(self) -> Limit:
        """Return the latency that a student may have, and where.

        Raises:
            ValueError: If there is no such device.
        """
        import torch

        from ...pick.fast_enough import Limit

        if self.latency_on == "cuda" and not torch.cuda.is_available():
            raise ValueError("--latency_on cuda: PyTorch finds no GPU here; leave it out to measure on the CPU")
        device: torch.device = torch.device(self.latency_on)
        return Limit(self.milliseconds, self.latency_batch, self.latency_threads, device)


@dataclass(frozen=True)
class Pick:
    """Choose a student: those that are fast enough are trained side by side, fewer and fewer of them, in a given time.

    Validation images choose; the test images are looked at for the chosen one only.
    """

    pick: PickOptions
    teacher_length: TeacherEpochOptions
    knowledge: TeacherOptions
    run: RunOptions
    precision: PrecisionOptions
    cache: CacheOptions
    memory: MemoryOptions
    given: frozenset[str]

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return {**IN_HELP, "validation": f"{VALIDATION}"}

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the part of the training images to hold out, which choose."""
        return {"validation": VALIDATION}
