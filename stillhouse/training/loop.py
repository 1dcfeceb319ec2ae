"""The training loop, all of it, from top to bottom. There is no other."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import torch

from .. import distributed
from ..checkpoints import fingerprint
from ..data import Data
from ..rng import preserved
from ..spelling import counted
from .cache.store import CacheStore
from .cache.teacher_cache import TeacherCache
from .capture.classroom import Use, captured
from .classroom import Classroom
from .evaluation import Scores, evaluate, size_of
from .predictions import Predictions
from .progress import Display
from .saved_state import cannot_resume
from .stop_signals import Stopped as Stopped, StopSignals as StopSignals
from .student import StudentTrainer
from .teachers.weights_file import MODEL, STUDENT
from .versions import versions

SAVE_EVERY = 600.0  # seconds, inside long epochs
ASK_EVERY = 16  # steps between two questions to other ranks
LOOK_EVERY = 1.0  # seconds between two looks at the losses (each waits for the device)
_RESUME = "run the same command again to resume"


def fit(
    classroom: Classroom,
    data: Data,
    device: torch.device | str | None = None,
    display: Display | None = None,
    teacher_scores: Scores | None = None,
    cache_store: CacheStore | None = None,
    capture: Use = "auto",
) -> None:
    """Train every student of a classroom to the end (its `until`), from where its run folder left off.

    On SIGINT, SIGTERM or SIGHUP it saves all students between two steps; after a kill it resumes from the last save.
    Either way the outcome is the same as without an interruption, bit for bit on a CPU with the same number of threads.
    A student whose run is already finished gets the weights saved there and is not trained again.

    Args:
        device: Where to train; by default the GPU if there is one.
        display: Shows the progress; by default nothing is shown.
        teacher_scores: The teacher's outputs for the held-out images, to measure the agreement with it.
        cache_store: Where to keep the teacher's outputs, so that they are computed once; this does not change results.
        capture: Repeat whole steps as CUDA graphs: "auto" does it on a GPU if there are enough steps to pay for it,
            "on" always; on a CPU it changes neither results nor speed.

    Raises:
        Stopped: If a signal asked for it.
        ArithmeticError: If a loss or a weight became NaN or infinite.
        RuntimeError: If the teacher's weights or buffers have changed.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    display = display or Display(quiet=True)
    with ExitStack() as stack:
        classroom.for_each(lambda trainer: stack.enter_context(trainer.run))
        stack.enter_context(preserved())
        stop = stack.enter_context(StopSignals())
        stack.enter_context(display)

        classroom.to(device)
        before = fingerprint(classroom.teacher) if classroom.teacher else None
        unfinished = _resume(classroom, data, display, cache_store)
        until = max((trainer.until for trainer in classroom.trainers), default=0)
        steps_to_go = (until - classroom.position[0]) * data.train.steps if classroom.position else 0
        graphs = captured(classroom, data.train.batch_size, steps_to_go, device, capture, display.say)
        room = graphs or classroom  # both can train the students
        save_time, look_time = _Timer(SAVE_EVERY), _Timer(LOOK_EVERY)
        tested: dict[StudentTrainer, Scores] = {}  # trained students on the test images
        while (position := classroom.position) is not None:
            epoch, start = position
            began = time.perf_counter()
            display.epoch(classroom, epoch, data.train.steps, start)
            classroom.for_each(StudentTrainer.begin_epoch)
            for step, batch in enumerate(room.prefetch(data.train.epoch(epoch, device, start)), start):
                room.train_step(batch, classroom.trainers_at(epoch, step))
                if look_time.is_up:
                    look_time.start()
                    classroom.for_each(StudentTrainer.check_finite)
                    display.step(classroom, step + 1)
                must_stop, must_save = _agreed(step, stop.requested, save_time.is_up)
                if must_stop or must_save:
                    save_time.start()
                    classroom.for_each(StudentTrainer.save, classroom.trainers_at(epoch, step + 1))
                if must_stop:
                    raise Stopped(f"stopped in epoch {epoch + 1} after step {step + 1}; {_RESUME}")
            seconds = time.perf_counter() - began
            end_epoch = partial(_end_epoch, data, device, display, teacher_scores, seconds, tested)
            classroom.for_each(end_epoch, classroom.trainers_at(epoch, data.train.steps))
        if classroom.teacher and fingerprint(classroom.teacher) != before:
            raise RuntimeError("the teacher's weights or buffers changed during distillation; this is a bug, report it")
        if classroom.cache:
            display.say(classroom.cache.describe())
        finish = partial(_finish, data, device, classroom.cache, teacher_scores, tested)
        done = [trainer for trainer in classroom.trainers if trainer in unfinished and trainer.is_done]
        classroom.for_each(finish, done)
        distributed.barrier()
        if any(distributed.collect(stop.requested)):
            raise Stopped(f"stopped after the last epoch, and everything is saved; {_RESUME}")


def _resume(classroom: Classroom, data: Data, display: Display, cache_store: CacheStore | None) -> list[StudentTrainer]:
    """Restore all students, open the teacher cache, and return the students that are not finished."""
    steps = data.train.steps
    unfinished: list[StudentTrainer] = []

    def resume(trainer: StudentTrainer) -> None:
        if not trainer.run.is_done:
            unfinished.append(trainer)
        resumed = trainer.resume()
        if trainer.step > steps:
            raise cannot_resume(trainer.run, f"it is at step {trainer.step + 1} of an epoch that has {steps}")
        if trainer not in unfinished:
            display.say(f"{trainer.name}: already trained, {trainer.run.folder}")
        elif resumed:
            display.resumed(trainer)
            display.note(_on_other_threads(trainer))

    classroom.for_each(resume)
    note = classroom.use_cache(cache_store, data) if cache_store and classroom.position else None
    if note:
        display.say(note)
    distributed.barrier()  # every process has read before any changes a file
    unfinished = [trainer for trainer in classroom.trainers if trainer in unfinished]
    classroom.for_each(lambda trainer: trainer.run.begin(), unfinished)
    return unfinished


def _on_other_threads(trainer: StudentTrainer) -> str | None:
    """Return a note if a run on a CPU goes on with another number of threads, which add up in another order."""
    before, now = trainer.threads_before, torch.get_num_threads()
    if before in (0, now) or next(trainer.distillation.parameters()).device.type != "cpu":
        return None
    return (
        f"the run was begun with {counted(before, 'thread')} and goes on with {now}, so the last bits may differ from "
        f"those of an uninterrupted run; OMP_NUM_THREADS={before} before the command keeps them"
    )


class _Timer:
    """A timer that is up when this many seconds have passed since it was started."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.start()

    def start(self) -> None:
        self._started = time.perf_counter()

    @property
    def is_up(self) -> bool:
        return time.perf_counter() - self._started > self.seconds


def _agreed(step: int, *wishes: bool) -> tuple[bool, ...]:
    """Return the wishes of all ranks combined with OR; they only ask each other now and then."""
    if distributed.world_size() == 1:
        return wishes
    collected = distributed.collect(wishes) if step % ASK_EVERY == 0 else []
    return tuple(any(wish) for wish in zip(*collected, strict=True)) or (False,) * len(wishes)


def _end_epoch(
    data: Data,
    device: torch.device,
    display: Display,
    teacher: Scores | None,
    seconds: float,
    tested: dict[StudentTrainer, Scores],
    trainer: StudentTrainer,
) -> None:
    """Measure a student, close its epoch, and keep the scores of a trained one on the test images for `_finish`."""
    scores = evaluate(trainer.model, data.validation or data.test, device)
    measured = {"top1": scores.top1, "top5": scores.top5, "test_loss": scores.loss}
    if teacher is not None and trainer.distillation.has_teacher:
        measured["agreement"] = scores.agreement(teacher)
    display.row(trainer, trainer.end_epoch(measured, seconds))
    display.gradients(trainer)
    if trainer.is_done and data.validation is None:
        tested[trainer] = scores


def _finish(
    data: Data,
    device: torch.device,
    cache: TeacherCache | None,
    teacher: Scores | None,
    tested: Mapping[StudentTrainer, Scores],
    trainer: StudentTrainer,
) -> None:
    """Write the outcome of the run: the last epoch's network and its scores on the test images.

    Args:
        tested: Scores of students that were measured on the test images after their last step.
    """
    scores = tested[trainer] if trainer in tested else evaluate(trainer.model, data.test, device)
    best, best_epoch = trainer.best
    outcome: dict[str, object] = {
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
        **versions(),
        **_size(trainer, data.info.image_size),
        "data_hash": data.fingerprint,
        **data.facts(),
        "weights_hash": fingerprint(trainer.model),
    }
    if teacher is not None and trainer.distillation.has_teacher:
        outcome["teacher_top1"] = teacher.top1  # on the images that the best epoch is measured on
    if cache is not None and trainer.distillation.has_teacher:
        outcome["teacher_cache_hits"] = round(cache.hit_rate, 4)
    if norms := trainer.optimizer.doctor.norms:
        outcome["gradient_norms"] = {str(step): terms for step, terms in norms.items()}
    if data.skipped:
        outcome["skipped_images"] = data.skipped
    outcome |= {name: value for name, value in trainer.about.items() if name != "trained_on"}  # not for people
    file = STUDENT if trainer.distillation.has_teacher else MODEL
    methods, guesses = trainer.distillation.methods, Predictions.of(scores)
    trainer.run.finish(trainer.model, trainer.about, outcome, methods, guesses, file)


def _size(trainer: StudentTrainer, image_size: int) -> dict[str, int]:
    """Count the network's parameters and its multiply-accumulates, unless PyTorch cannot count the latter."""
    try:
        parameters, macs = size_of(trainer.model, image_size)
    except (RuntimeError, TypeError, ValueError, AssertionError):  # the user's network: no reason to lose a run
        return {"parameters": sum(one.numel() for one in trainer.model.parameters())}
    return {"parameters": parameters, "macs": macs}
