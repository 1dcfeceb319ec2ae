"""The training loop: all of it, top to bottom. There is no other."""

import signal
import threading
import time
from contextlib import AbstractContextManager, ExitStack
from types import FrameType

import torch

from .. import distributed
from ..checkpoints import fingerprint
from ..data import Data
from .cache_store import CacheStore
from .classroom import Classroom
from .evaluation import Scores, evaluate
from .progress import Display
from .student import StudentTrainer
from .teacher_cache import TeacherCache

SAVE_EVERY = 600.0  # seconds, inside long epochs
ASK_EVERY = 16  # steps between two questions to other ranks
LOOK_EVERY = 1.0  # seconds between two looks at the losses (each waits for the device)


class Stopped(Exception):  # noqa: N818 (it is no error)
    """Training was asked to stop, and everything is saved."""


def fit(
    room: Classroom,
    data: Data,
    device: torch.device | str | None = None,
    display: Display | None = None,
    teacher_scores: Scores | None = None,
    shelf: CacheStore | None = None,
) -> None:
    """Train every student of a room, from wherever its run folder was left, to the end.

    Interrupted by SIGINT or SIGTERM it saves all students between two steps; killed, it goes on from the last save:
    either way the outcome is the same, bit for bit on a CPU, as if nothing had happened.

    Args:
        device: Where to train; the GPU if there is one.
        display: What shows the progress; silent if left out.
        teacher_scores: What the teacher said about the held-out images, for the agreement with it.
        shelf: Where to keep what the teacher says, so that it need not be asked twice; this changes no result.

    Raises:
        Stopped: If a signal asked for it.
        ArithmeticError: If a loss is not finite any more.
        RuntimeError: If the teacher's weights or buffers are not what they were before.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    display = display or Display(quiet=True)
    held_out = data.validation or data.test
    with ExitStack() as stack:
        for trainer in room.trainers:
            stack.enter_context(trainer.run)
        stack.enter_context(torch.random.fork_rng())
        stop = stack.enter_context(StopSignals())
        stack.enter_context(display)

        room.to(device)
        before = fingerprint(room.teacher) if room.teacher else None
        for trainer in room.trainers:
            if trainer.resume():
                display.resumed(trainer)
        distributed.barrier()  # before anything is written
        note = room.keep(shelf, data) if shelf and room.position else None
        if note:
            display.say(note)

        last_saved = last_look = time.perf_counter()
        while (position := room.position) is not None:
            epoch, start = position
            began = time.perf_counter()
            display.epoch(room, epoch, data.train.steps, start)
            for trainer in room.trainers:
                trainer.begin()
            for step, batch in enumerate(room.prefetch(data.train.epoch(epoch, device, start)), start):
                room.train_step(batch, room.trainers_at(epoch, step))
                now = time.perf_counter()
                if now - last_look > LOOK_EVERY:
                    last_look = now
                    for trainer in room.trainers:
                        trainer.check()
                    display.step(room, step + 1)
                shall_stop, shall_save = _agreed(step, stop.requested, now - last_saved > SAVE_EVERY)
                if shall_stop or shall_save:
                    last_saved = now
                    for trainer in room.trainers_at(epoch, step + 1):
                        trainer.save()
                if shall_stop:
                    raise Stopped(f"stopped in epoch {epoch + 1} after step {step + 1}; the same command goes on")
            seconds = time.perf_counter() - began
            for trainer in room.trainers_at(epoch, data.train.steps):
                scores = evaluate(trainer.model, held_out, device)
                measured = {"top1": scores.top1, "top5": scores.top5, "test_loss": scores.loss}
                if teacher_scores is not None and trainer.distillation.is_taught:
                    measured["agreement"] = scores.agreement(teacher_scores)
                display.row(trainer, trainer.end_epoch(measured, seconds))
        if room.teacher and fingerprint(room.teacher) != before:
            raise RuntimeError("the teacher's weights or buffers changed during distillation; this is a bug, report it")
        if room.cache:
            display.say(room.cache.describe())
        for trainer in room.trainers:
            _finish(trainer, data, device, room.cache if trainer.distillation.is_taught else None)
        distributed.barrier()


def _agreed(step: int, *wishes: bool) -> tuple[bool, ...]:
    """What any of several ranks wishes; they ask each other now and then only."""
    if distributed.world_size() == 1:
        return wishes
    heard = distributed.collect(wishes) if step % ASK_EVERY == 0 else []
    return tuple(any(wish) for wish in zip(*heard, strict=True)) or (False,) * len(wishes)


def _finish(trainer: StudentTrainer, data: Data, device: torch.device, cache: TeacherCache | None) -> None:
    """The last epoch's network and its scores on the test images are the run's outcome."""
    scores = evaluate(trainer.model, data.test, device)
    best, best_epoch = trainer.best
    outcome = {
        "top1": scores.top1,
        "top5": scores.top5,
        "test_loss": scores.loss,
        "best_top1": best,
        "best_epoch": best_epoch,
        "best_measured_on": "validation" if data.validation else "test",
        "epochs": trainer.epochs,
        "seconds": round(trainer.seconds, 1),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu x {torch.get_num_threads()}",
        "processes": distributed.world_size(),
        "torch": torch.__version__,
    }
    if cache is not None:
        outcome["teacher_cache_hits"] = round(cache.hit_rate, 4)
    trainer.run.finish(trainer.model, trainer.about, outcome | trainer.about, trainer.distillation.methods)


class StopSignals(AbstractContextManager["StopSignals"]):
    """Turns the first SIGINT or SIGTERM into a request; a second one interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._request)
        return self

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # what signal.signal returned
