"""Rooms as jobs: command lines run by processes on this machine, one per GPU, or by the workers of a Ray cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..training.stop_signals import Stopped, StopSignals

Say = Callable[[str], None]
TRIES = 3  # of a job whose process is killed or lacks memory; each resumes where the last one stopped
OUT_OF_MEMORY = 3  # exit code of a command
_POLL = 0.2  # seconds
_WITH_LESS = " with half the memory budget"


@dataclass(frozen=True)
class Job:
    """A room that its own process trains.

    Args:
        name: For messages.
        command: The command that trains it, run in `folder`.
        folder: The working directory, which must be the same on all machines.
    """

    name: str
    command: tuple[str, ...]
    folder: str

    def smaller(self, halvings: int) -> Job:
        """Return the job with the memory budget halved so many times; fewer students then train side by side."""
        more = ("--halve_memory", str(halvings)) if halvings else ()
        return replace(self, command=(*self.command, *more))

    def start(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start it; it prints to the same place as this process."""
        return subprocess.Popen(self.command, cwd=self.folder, env={**os.environ, **(environment or {})}, text=True)


def job(command: str, number: int, name: str, options: str) -> Job:
    """Return the job that trains a room.

    Args:
        command: `bench` or another command with rooms.
        number: Number of the room, from 1.
        options: Options of the command, as JSON.
    """
    words = (sys.executable, "-m", "stillhouse", command, "--config", options, "--room", str(number))
    return Job(name, words, os.getcwd())


def run_here(jobs: Sequence[Job], processes: int, gpus: int, say: Say) -> None:
    """Run jobs in processes on this machine, each with its own GPU if there are any.

    A process that runs out of memory or is killed, perhaps for its memory, is started again with half the memory
    budget. One that ends with another error is not; the bench reports its failures.

    Raises:
        Stopped: If a signal asks for it, after all have saved and ended.
    """
    waiting, tries = deque(jobs), dict.fromkeys((job.name for job in jobs), 0)
    running: dict[int, tuple[Job, subprocess.Popen[str]]] = {}  # by slot
    with StopSignals() as stop:
        while waiting or running:
            for slot in range(processes):
                if slot not in running and waiting:
                    job = waiting.popleft()
                    now = job.smaller(tries[job.name])
                    tries[job.name] += 1
                    running[slot] = job, now.start({"CUDA_VISIBLE_DEVICES": _gpu(slot, gpus)} if gpus else None)
            for slot, (job, process) in [*running.items()]:
                if process.poll() is None:
                    continue
                del running[slot]
                why = _lost(process.returncode)
                if why and tries[job.name] < TRIES and not stop.requested:
                    say(f"{job.name}: {why}; starting it again{_WITH_LESS}")
                    waiting.append(job)
            if stop.requested:
                _end([process for _, process in running.values()])
                raise Stopped("stopped; run the same command again to resume")
            time.sleep(_POLL)


def _lost(returncode: int) -> str | None:
    """Return why a process ended, if another one with less memory may succeed."""
    if returncode < 0:
        return f"its process was killed (signal {-returncode})"
    return "it ran out of memory" if returncode == OUT_OF_MEMORY else None


def _gpu(slot: int, gpus: int) -> str:
    """Return the GPU of a slot, from those that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return (visible.split(",") if visible else [str(number) for number in range(gpus)])[slot % gpus]


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait()


def run_on_ray(jobs: Sequence[Job], address: str, needs_gpu: bool, say: Say) -> None:
    """Run jobs as tasks of a Ray cluster whose machines share this folder; a whole GPU each.

    A task whose worker dies is run again by Ray and resumes where that one stopped. One that runs out of memory, or
    whose process is killed, perhaps for its memory, is run again with half the memory budget.

    Raises:
        ValueError: If Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("--ray needs Ray: pip install 'stillhouse[ray]'") from None
    try:
        ray.init(address=None if address == "local" else address, log_to_driver=True, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ValueError(f"--ray {address}: {' '.join(str(error).split())[:200]}") from None
    try:
        demands = {"num_gpus": 1} if needs_gpu else {"num_cpus": 1}
        task = ray.remote(max_retries=TRIES, max_calls=1, **demands)(_run)
        waiting = {task.remote(one): (one, 1) for one in jobs}  # with the number of the try
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            job, tries = waiting.pop(ready)
            why, is_lost = _outcome(ray, ready)
            if is_lost and tries < TRIES:
                say(f"{job.name}: {why}; running it again{_WITH_LESS}")
                waiting[task.remote(job.smaller(tries))] = job, tries + 1
            elif why:
                say(f"{job.name}: {why}")
    finally:
        ray.shutdown()


def _outcome(ray: Any, ready: object) -> tuple[str | None, bool]:
    """Return what went wrong with a task, if anything, and True if another one with less memory may succeed."""
    lost = (ray.exceptions.OutOfMemoryError, ray.exceptions.WorkerCrashedError)
    try:
        why = _lost(ray.get(ready))
    except ray.exceptions.RayError as error:
        is_lost = isinstance(error, lost) or isinstance(getattr(error, "cause", None), MemoryError)
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", is_lost
    return why, why is not None


def _run(job: Job) -> int:
    return job.start().wait()
