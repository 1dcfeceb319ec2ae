"""Runs a command on a hostile file in a process of its own, watched by an audit hook, and judges how it ends."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stillhouse.__main__ import main
from tests.helpers.networks import quick_net_file
from tests.helpers.pictures import write_pictures
from tests.helpers.processes import exit_code
from tests.hostile.watch import MARK, audit, snapshot
from tests.soak import in_a_process

SECONDS = 10.0  # of computing, after which a refusal counts as late
TOO_LATE = 15  # seconds of computing, after which a command is ended
PATIENCE = 45.0  # seconds, after which one that waits is
MEMORY = 3 << 30  # bytes, the most that a command may take

Ends = Literal["refused", "read", "either"]


@dataclass(frozen=True)
class Case:
    """A hostile file that was written, and the command that reads it.

    Args:
        words: Of the command.
        ends: "refused": one sentence, exit code 2, nothing changed on disk. "read": it does no harm, and is read or
            left out with a note; no code of it is run all the same. "either": both would be right.
        says: What must be said.
        here: Folder of the world from which the command is given.
    """

    words: Sequence[str]
    ends: Ends = "refused"
    says: str = ""
    here: str = "here"


@dataclass(frozen=True)
class Ground:
    """What commands need beside the hostile file.

    Args:
        nets: File with networks of the user's own.
        pictures: Good data.
        teacher: Folder of a finished run.
        distilled: Folder of a finished distillation.
        place: Empty folder for the hostile file.
    """

    root: Path
    nets: str
    pictures: Path
    teacher: Path
    distilled: Path
    place: Path

    @classmethod
    def make(cls, root: Path) -> Ground:
        """Train a teacher, and distil from it."""
        for folder in (root, root / "home", root / "tmp", root / "here"):
            folder.mkdir()
        nets, pictures = quick_net_file(root), write_pictures(root / "pictures", train=6)
        ground = cls(root, nets, pictures, root / "none", root / "none", root / "case")
        for words in (ground.train(pictures, "--epochs", "8"), ["distill"]):
            if words == ["distill"]:
                (trained,) = (root / "runs").iterdir()
                words = ground.distill("--teacher", str(trained))
            assert in_a_process(words, root / "said") == 0, (root / "said").read_text()
        finished = (root / "runs").rename(root / "finished")
        teacher, distilled = sorted(finished.iterdir(), key=lambda run: "-from-" in run.name)
        return cls(root, nets, pictures, teacher, distilled, root / "case")

    def train(self, data: object, *more: str) -> list[str]:
        words = ["train", "--data", str(data), "--model", f"{self.nets}:small", *self._small(), *more]
        return words if "--epochs" in more else [*words, "--epochs", "1"]

    def distill(self, *more: str) -> list[str]:
        words = ["distill", "--student", f"{self.nets}:small", "--data", str(self.pictures), *self._small()]
        return [*words, "--epochs", "1", "--baseline", "false", "--trust_teacher", "true", *more]

    def evaluate(self, model: object, *more: str) -> list[str]:
        return ["evaluate", str(model), "--device", "cpu", *more]

    def _small(self) -> list[str]:
        return ["--batch_size", "6", "--device", "cpu", "--folder", str(self.root / "runs")]


Maker = Callable[[Ground, random.Random], Case]


@dataclass
class Trial:
    """Tries hostile files, one after the other."""

    ground: Ground
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    report: Callable[[str], object] = str  # is told how each ended
    command: Callable[[Sequence[str]], int] = main

    def go(self, kinds: dict[str, Maker], times: int, lot: random.Random) -> None:
        """Try as many files, each kind before any comes again."""
        waiting: list[str] = []
        for _ in range(times):
            waiting = waiting or lot.sample(sorted(kinds), len(kinds))
            name = waiting.pop()
            place = self.ground.place
            _remove(place)
            place.mkdir()
            case = kinds[name](self.ground, lot)
            problems = self.judge(case)
            for mark in self._marks():
                mark.unlink()  # so that the next one is not blamed for it
            self.problems += [f"{name}: {problem}" for problem in problems]
            self.happened[case.ends if not problems else "WRONG"] += 1
            shown = " ".join((self._said("err") or self._said("out")).split())[-300:]
            self.report(f"{name} ({self.seconds:.1f} s): {shown}")
            for problem in problems:
                self.report(f"WRONG {name}: {problem}")
        _remove(self.ground.place)

    def judge(self, case: Case) -> list[str]:
        """Run the command and return what is wrong with how it ends."""
        root = self.ground.root
        shutil.rmtree(root / "runs", ignore_errors=True)
        before = snapshot(root)
        code = self._run(case)
        out, err = self._said("out"), self._said("err")
        wrong = [f"{event}" for event in self._said("events").splitlines()]
        wrong += ["its code ran"] if self._marks() else []
        wrong += [f"it took {self.seconds:.0f} s"] if self.seconds > SECONDS else []
        wrong += [f"it took {self.memory / 1e9:.1f} GB"] if self.memory > MEMORY else []
        wrong += ["it wrote control characters"] if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out + err) else []
        if code not in {"refused": (2,), "read": (0,), "either": (0, 2)}[case.ends]:
            return [*wrong, f"it ended with {code} and said {(err or out)[-1500:]!r}"]
        if code == 0:
            wrong += [f"it said {err[-600:]!r}"] if err else []
        else:
            if not re.fullmatch(r"stillhouse: [^\n]+\n", err) or len(err) > 5000 or "too little memory" in err:
                wrong.append(f"it said {err[-600:]!r}")
        changed = {name for name, _ in snapshot(root).items() ^ before.items()}
        store = root / "home" / ".cache" / "stillhouse"
        known = (store.parent, store, store / "contents")  # what is remembered of whole files, even beside broken ones
        allowed = (root / "runs", store.parent) if code == 0 else (store / "contents",)
        changed = {name for name in changed if not name.startswith(tuple(map(str, allowed)))} - set(map(str, known))
        wrong += [f"it changed {', '.join(sorted(changed)[:5])}"] if changed else []
        wrong += [f"it did not say {case.says!r}: {(err or out)[-600:]!r}"] if case.says not in out + err else []
        return wrong

    def _marks(self) -> list[Path]:
        return [*self.ground.root.rglob(MARK), *Path().glob(MARK)]

    def _said(self, what: str) -> str:
        path = self.ground.root.parent / f"{self.ground.root.name}.{what}"
        return path.read_text(errors="replace") if path.is_file() else ""

    def _run(self, case: Case) -> int | None:
        for what in ("out", "err", "events", "used"):
            (self.ground.root.parent / f"{self.ground.root.name}.{what}").write_text("")
        began = time.monotonic()
        code = exit_code(_run, case, self.ground.root, self.command, patience=PATIENCE)
        used = self._said("used").split() or [str(time.monotonic() - began), "0"]
        self.seconds, self.memory = float(used[0]), int(used[1])
        return code


def _run(case: Case, root: Path, command: Callable[[Sequence[str]], int]) -> None:
    os.environ |= {"HOME": str(root / "home"), "TMPDIR": str(root / "tmp")}
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(
        root.parent / "compiled"
    )  # PyTorch makes it in TMPDIR, when it is loaded
    os.environ.pop("XDG_CACHE_HOME", None)
    tempfile.tempdir = str(root / "tmp")
    os.chdir(root / case.here)
    resource.setrlimit(resource.RLIMIT_CPU, (TOO_LATE, TOO_LATE))
    events: list[str] = []
    sys.addaudithook(lambda event, args: audit(event, args, events, str(root / "case")))
    beside = root.parent / root.name
    with (
        open(f"{beside}.out", "w") as out,
        open(f"{beside}.err", "a") as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        os.dup2(err.fileno(), 2)  # libraries in C do not ask Python
        try:
            code = command(list(case.words))
        except BaseException as error:  # whatever it is, it is a mistake
            err.write(f"{type(error).__name__}: {str(error)[:600]}")
            code = 1
    Path(f"{beside}.events").write_text("\n".join(events))
    used = resource.getrusage(resource.RUSAGE_SELF)
    Path(f"{beside}.used").write_text(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss * 1024}")
    os._exit(code)


def _remove(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)
