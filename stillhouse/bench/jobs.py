"""Rooms as jobs: command lines run by processes on this machine, one per GPU, or by the workers of a Ray cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..training.loop import Stopped, StopSignals

Say = Callable[[str], None]
TRIES = 3  # of a job whose process is killed; each resumes where the last one stopped
_POLL = 0.2  # seconds


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

    A process that is killed is started again. One that ends with an error is not; the bench reports its failures.

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
                    tries[job.name] += 1
                    running[slot] = job, job.start({"CUDA_VISIBLE_DEVICES": _gpu(slot, gpus)} if gpus else None)
            for slot, (job, process) in [*running.items()]:
                if process.poll() is None:
                    continue
                del running[slot]
                if process.returncode < 0 and tries[job.name] < TRIES and not stop.requested:
                    say(f"{job.name}: its process was killed (signal {-process.returncode}); starting it again")
                    waiting.append(job)
            if stop.requested:
                _end([process for _, process in running.values()])
                raise Stopped("stopped; run the same command again to resume")
            time.sleep(_POLL)


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

    A task whose worker dies is run again and resumes where that one stopped.

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
        waiting = {task.remote(one): one for one in jobs}
        while waiting:
            (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(ready)
            try:
                ray.get(ready)
            except ray.exceptions.RayError as error:
                say(f"{job.name}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    finally:
        ray.shutdown()


def _run(job: Job) -> int:
    return job.start().wait()
