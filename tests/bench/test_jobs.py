"""Rooms in other processes."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from stillhouse.bench.jobs import Job, job, run_here
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
    assert said == ["killed: its process was killed (signal 9); starting it again"]


def test_a_process_that_is_always_killed_is_given_up(tmp_path: Path) -> None:
    code = "import os; open('n', 'a').write('x'); os.kill(os.getpid(), 9)"
    run_here([python("killed", code, tmp_path)], 1, 0, lambda _: None)
    assert (tmp_path / "n").read_text() == "xxx"


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
