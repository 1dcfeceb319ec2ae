"""Claims: of several processes one trains a run, and none waits for one that is gone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stillhouse.bench import claims
from stillhouse.bench.claims import Claims, is_claimed


def test_what_is_claimed_cannot_be_claimed_again_until_it_is_released(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    with Claims([one]) as first:
        assert first.taken == [one]
        assert is_claimed(one)
        with Claims([one, other]) as second:
            assert second.taken == [other]
        assert is_claimed(one)
    assert not is_claimed(one)
    assert list(tmp_path.iterdir()) == []  # nothing was trained there


def test_a_folder_with_a_run_stays(tmp_path: Path) -> None:
    with Claims([tmp_path / "run"]):
        (tmp_path / "run" / "state.pt").touch()
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["state.pt"]


def write(folder: Path, machine: str, process: int, age: float) -> None:
    folder.mkdir()
    claim = folder / claims.NAME
    claim.write_text(json.dumps({"machine": machine, "process": process}))
    then = time.time() - age
    os.utime(claim, (then, then))


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_claim_of_this_machine_ends_with_its_process(tmp_path: Path) -> None:
    import socket

    write(tmp_path / "dead", socket.gethostname(), dead_process(), age=0)
    write(tmp_path / "alive", socket.gethostname(), os.getppid(), age=0)
    with Claims([tmp_path / "dead", tmp_path / "alive"]) as mine:
        assert mine.taken == [tmp_path / "dead"]


def test_a_claim_of_another_machine_ends_when_its_heart_stops(tmp_path: Path) -> None:
    write(tmp_path / "fresh", "elsewhere", 1, age=claims.STALE / 2)
    write(tmp_path / "stale", "elsewhere", 1, age=claims.STALE + 1)
    assert is_claimed(tmp_path / "fresh")
    assert not is_claimed(tmp_path / "stale")
    with Claims([tmp_path / "fresh", tmp_path / "stale"]) as mine:
        assert mine.taken == [tmp_path / "stale"]
    assert [path.name for path in tmp_path.iterdir()] == ["fresh"]
    assert [path.name for path in (tmp_path / "fresh").iterdir()] == [claims.NAME]


def test_a_claim_is_kept_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "EVERY", 0.01)
    with Claims([tmp_path / "run"]):
        claim = tmp_path / "run" / claims.NAME
        os.utime(claim, (0, 0))
        while claim.stat().st_mtime == 0:  # until the test's time is up
            time.sleep(0.01)


def test_of_many_processes_one_has_it(tmp_path: Path) -> None:
    write(tmp_path / "run", "elsewhere", 1, age=claims.STALE + 1)
    code = (
        "import sys, pathlib\nfrom stillhouse.bench.claims import Claims\n"
        "sys.stdin.readline()\nclaims = Claims([pathlib.Path(sys.argv[1])])\n"
        "print(len(claims.taken), flush=True)\nsys.stdin.readline()\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "run")]
    pipe = subprocess.PIPE
    others = [subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    try:
        for one in others:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        taken = [one.stdout.readline().strip() for one in others if one.stdout is not None]
    finally:
        for one in others:
            one.communicate()
    assert sorted(taken) == ["0", "0", "1"]
