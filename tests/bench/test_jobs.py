"""Rooms in other processes."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from stillhouse.bench.jobs import Job, job, run_here, run_on_ray
from stillhouse.training.loop import Stopped


def python(name: str, code: str, folder: Path) -> Job:
    return Job(name, (sys.executable, "-c", code), str(folder))


def test_jobs_run_side_by_side_with_a_gpu_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, pathlib; pathlib.Path('{0}').write_text(os.environ['CUDA_VISIBLE_DEVICES'])"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    run_here([python(str(i), code.format(i), tmp_path) for i in range(2)], 2, 2, print)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["4", "7"]


def test_a_process_that_is_killed_is_started_again_and_one_that_fails_is_not(tmp_path: Path) -> None:
    killed = "import os, pathlib; p = pathlib.Path('k'); n = len(p.read_text()) if p.exists() else 0\n"
    killed += "p.write_text('x' * (n + 1))\nif n < 1: os.kill(os.getpid(), 9)"
    failing = "import pathlib, sys; p = pathlib.Path('f'); p.write_text('x' + (p.read_text() if p.exists() else ''))\n"
    failing += "sys.exit(2)"
    said: list[str] = []
    run_here([python("killed", killed, tmp_path), python("failing", failing, tmp_path)], 1, 0, said.append)
    assert (tmp_path / "k").read_text() == "xx"
    assert (tmp_path / "f").read_text() == "x"
    assert said == ["killed: its process was killed (signal 9); starting it again with half the memory budget"]


def test_a_process_that_is_always_killed_is_given_up(tmp_path: Path) -> None:
    code = "import os; open('n', 'a').write('x'); os.kill(os.getpid(), 9)"
    run_here([python("killed", code, tmp_path)], 1, 0, lambda _: None)
    assert (tmp_path / "n").read_text() == "xxx"


def test_a_process_that_runs_out_of_memory_is_started_again_with_less(tmp_path: Path) -> None:
    code = "import sys; open('n', 'a').write(' '.join(sys.argv[1:]) + ';'); sys.exit(3 if sys.argv[-1] != '2' else 0)"
    said: list[str] = []
    run_here([python("large", code, tmp_path)], 1, 0, said.append)
    assert (tmp_path / "n").read_text() == ";--halve_memory 1;--halve_memory 2;"
    assert said == ["large: it ran out of memory; starting it again with half the memory budget"] * 2


class MadeUpRay:
    """Ray, as far as it is used: tasks end in the order in which they were given, with these outcomes."""

    class exceptions:  # noqa: N801 (Ray's name)
        class RayError(Exception):
            cause: Exception | None = None

        class OutOfMemoryError(RayError):
            pass

        class WorkerCrashedError(RayError):
            pass

    def __init__(self, outcomes: list[int | Exception]):
        self.outcomes, self.given, self.is_over = outcomes, list[Job](), False

    def init(self, **_: object) -> None:
        pass

    def shutdown(self) -> None:
        self.is_over = True

    def remote(self, **_: object) -> object:
        ray = self

        class Task:
            @staticmethod
            def remote(job: Job) -> int:
                ray.given.append(job)
                return len(ray.given) - 1

        return lambda function: Task

    def wait(self, refs: list[int], num_returns: int) -> tuple[list[int], list[int]]:
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref: int) -> int:
        outcome = self.outcomes[ref]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def on_ray(monkeypatch: pytest.MonkeyPatch, *outcomes: int | Exception) -> tuple[list[str], list[str]]:
    """Return what was said, and the last words of each command that was run."""
    ray, said = MadeUpRay([*outcomes]), list[str]()
    monkeypatch.setitem(sys.modules, "ray", ray)
    run_on_ray([Job("a room", ("train",), ".")], "auto", False, said.append)
    assert ray.is_over
    return said, [" ".join(job.command[1:]) for job in ray.given]


def test_a_task_of_ray_that_runs_out_of_memory_is_run_again_with_less(monkeypatch: pytest.MonkeyPatch) -> None:
    raised = MadeUpRay.exceptions.RayError("task failed")
    raised.cause = MemoryError()
    killed, crashed = MadeUpRay.exceptions.OutOfMemoryError("the monitor"), MadeUpRay.exceptions.WorkerCrashedError()
    for first in (3, -9, raised, killed, crashed):
        said, commands = on_ray(monkeypatch, first, 0)
        assert commands == ["", "--halve_memory 1"]
        assert len(said) == 1
        assert said[0].endswith("; running it again with half the memory budget")


def test_a_task_of_ray_is_not_run_for_ever_nor_again_for_another_error(monkeypatch: pytest.MonkeyPatch) -> None:
    said, commands = on_ray(monkeypatch, 3, 3, 3)
    assert commands == ["", "--halve_memory 1", "--halve_memory 2"]
    assert said[-1] == "a room: it ran out of memory"
    said, commands = on_ray(monkeypatch, MadeUpRay.exceptions.RayError("a bug"))
    assert (said, commands) == (["a room: RayError: a bug"], [""])
    assert on_ray(monkeypatch, 2) == ([], [""])


def test_a_signal_ends_all_processes_gently(tmp_path: Path) -> None:
    code = "import pathlib, signal, sys, time\n"
    code += "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('saved').touch(), sys.exit(2)))\n"
    code += "pathlib.Path('begun').touch()\ntime.sleep(60)"

    def stop() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop).start()
    with pytest.raises(Stopped, match="run the same command again to resume"):
        run_here([python("long", code, tmp_path)], 1, 0, print)
    assert (tmp_path / "saved").exists()


def test_a_room_is_trained_by_a_command(tmp_path: Path) -> None:
    one = job("bench", 3, "a pair, seed 0", json.dumps({"seeds": 2}))
    assert one.command[1:] == ("-m", "stillhouse", "bench", "--config", '{"seeds": 2}', "--room", "3")
    assert one.folder == os.getcwd()
