"""Damages files of runs and caches in every way, and looks what commands make of them.

    python -m tests.damage [--times 200] [--seed 0]

A command that reads a damaged file must say so in one sentence and end with exit code 2, in seconds, and change nothing
on disk. Where a damage does no harm (rows of a cache are computed again, weights that nobody needs are gone) it must
end as it does without, or say in a note what is different, with exit code 1 if that is a damaged run. The tests do the
same a few times.
"""

import argparse
import math
import os
import random
import re
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from safetensors.torch import load_file, save_file

from stillhouse.__main__ import main
from stillhouse.analysis import plots
from stillhouse.checkpoints import load_state, save_state
from tests.helpers.networks import quick_net_file
from tests.helpers.processes import exit_code
from tests.soak import Fault, in_a_process

SECONDS = 10.0  # of computing, for a command that refuses
PATIENCE = 180.0  # seconds, until a command counts as hanging
HUGE = 1 << 40  # bytes, of a hole that takes none
SMALL = "--data digits --batch_size 128 --lr 0.3 --epochs 4 --device cpu"
FEATURES = "--methods CE,KD,FT(warmup_epochs=1) --baseline false"
CACHED = "--methods CE,KD --baseline false --teacher_cache on"

Command = Callable[[Path, str], str]  # from the folder of the world and the file with networks to its words


def _train(root: Path, nets: str) -> str:
    return f"train --model {nets}:wide {SMALL} --folder {root / 'teachers'}"


def _evaluate(root: Path, nets: str) -> str:
    return f"evaluate {_teacher(root)} --data digits --device cpu"


def _distill(folder: str, methods: str, root: Path, nets: str) -> str:
    return f"distill --teacher {_teacher(root)} --student {nets}:small {SMALL} {methods} --folder {root / folder}"


def _inspect(root: Path, nets: str) -> str:
    (run,) = (root / "finished").iterdir()
    return f"inspect {run} --teacher {_teacher(root)} --images 32 --device cpu"


def _finish(root: Path, nets: str) -> str:
    return _distill("finished", FEATURES, root, nets)


def _teach(root: Path, nets: str) -> str:
    return _distill("new", CACHED.replace("on", "off"), root, nets)


def _resume(root: Path, nets: str) -> str:
    return _distill("unfinished", FEATURES, root, nets)


def _use_cache(root: Path, nets: str) -> str:
    return _distill("cached", CACHED, root, nets)


def _teacher(root: Path) -> Path:
    return min((root / "teachers").iterdir())


def _report(root: Path, nets: str) -> str:
    return f"report {root / 'finished'} {root / 'teachers'} -o {root.parent / 'report.json'}"


READ_BY: list[tuple[str, Command]] = [
    *((f"teachers/*/{name}", _evaluate) for name in ("result.json", "model.safetensors")),
    *((f"teachers/*/{name}", _teach) for name in ("result.json", "model.safetensors")),
    *((f"teachers/*/{name}", _train) for name in ("result.json", "model.safetensors")),
    *((f"finished/*/{name}", _inspect) for name in ("result.json", "student.safetensors", "methods.safetensors")),
    *((f"finished/*/{name}", _inspect) for name in ("metrics.jsonl", "config.yaml")),
    *((f"finished/*/{name}", _report) for name in ("result.json", "metrics.jsonl", "config.yaml", "config.yaml")),
    *((f"finished/*/{name}", _report) for name in ("predictions.safetensors", "student.safetensors")),
    *((f"teachers/*/{name}", _report) for name in ("result.json", "config.yaml", "metrics.jsonl")),
    *((f"unfinished/*/{name}", _resume) for name in ("state.pt", "metrics.jsonl", "state.pt")),
    *((f"cached/*/*/{name}", _use_cache) for name in ("header.json", "*.rows")),
]


def build(root: Path) -> str:
    """Train two teachers, distil from one to the end, to the third epoch, and with a cache; return their networks."""
    world, nets, outputs = root / "world", quick_net_file(root), root / "outputs"
    for command, more, fault in (
        (_train, "", None),
        (_train, "--seed 1", None),
        (_finish, "", None),
        (_resume, "", Fault("terminated", 30)),
        (_use_cache, "", None),
    ):
        words = f"{command(world, nets)} {more}".split()
        assert in_a_process(words, outputs, fault) == (2 if fault else 0), outputs.read_text()
    for run in (world / "cached").glob("digits-*"):
        shutil.rmtree(run)  # so that the cache is read again
    return nets


# What can happen to a file; False where it cannot happen to this one.


def cut(path: Path, lot: random.Random) -> bool:
    os.truncate(path, lot.randrange(path.stat().st_size))
    return True


def flip(path: Path, lot: random.Random) -> bool:
    content = bytearray(path.read_bytes())
    content[lot.randrange(len(content))] ^= 1 << lot.randrange(8)
    path.write_bytes(content)
    return True


def scramble(path: Path, lot: random.Random) -> bool:
    path.write_bytes(lot.randbytes(path.stat().st_size))
    return True


def empty(path: Path, lot: random.Random) -> bool:
    path.write_bytes(b"")
    return True


def delete(path: Path, lot: random.Random) -> bool:
    path.unlink()
    return path.suffix != ".pt"  # without it a run begins anew


def swap(path: Path, lot: random.Random) -> bool:
    """Put another file of the same kind, or any other one, in its place."""
    world = path.parents[len(path.parts) - path.parts.index("copy") - 2]
    others = [other for other in world.rglob("*") if other.is_file() and other.read_bytes() != path.read_bytes()]
    alike = [other for other in others if other.name == path.name]
    path.write_bytes(lot.choice(alike if alike and lot.random() < 0.7 else others).read_bytes())
    return True


def become_a_folder(path: Path, lot: random.Random) -> bool:
    path.unlink()
    path.mkdir()
    return True


def become_a_pipe(path: Path, lot: random.Random) -> bool:
    path.unlink()
    os.mkfifo(path)
    return True


def grow(path: Path, lot: random.Random) -> bool:
    os.truncate(path, HUGE)
    return True


def nest(path: Path, lot: random.Random) -> bool:
    path.write_text(lot.choice(["[", '{"a":']) * lot.choice([2000, 200_000]))
    return True


def poison(path: Path, lot: random.Random) -> bool:
    """Put NaN in the place of a number."""
    if path.suffix == ".safetensors":
        weights = load_file(path)
        next(value for value in weights.values() if value.is_floating_point()).view(-1)[0] = math.nan
        save_file(weights, path)
    elif path.suffix == ".pt":
        state = load_state(path)
        kept = state["distillation"]
        assert isinstance(kept, dict)
        next(iter(kept.values())).fill_(math.nan)
        save_state(path, state)
    elif path.suffix in (".json", ".jsonl", ".yaml"):
        text = path.read_text()
        place = lot.choice(list(re.finditer(r"\b\d+(\.\d+)?\b", text)))
        path.write_text(text[: place.start()] + "NaN" + text[place.end() :])
    else:
        return False
    return True


def repeat(path: Path, lot: random.Random) -> bool:
    path.write_bytes(path.read_bytes() * 2)
    return True


DAMAGES = (cut, flip, flip, scramble, empty, delete, swap, become_a_folder, become_a_pipe, grow, nest, poison, repeat)


@dataclass
class Damage:
    """Damages files of a copy of the world, one after the other."""

    root: Path
    nets: str = ""
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.nets = build(self.root)
        self.expected: dict[Command, str] = {}

    def copy(self) -> Path:
        shutil.rmtree(self.root / "copy", ignore_errors=True)
        return Path(shutil.copytree(self.root / "world", self.root / "copy"))

    def go(self, times: int, lot: random.Random) -> None:
        for number in range(times):
            pattern, command = READ_BY[number % len(READ_BY)]
            copy = self.copy()
            path = sorted(copy.glob(pattern))[0]
            damage = lot.choice(DAMAGES)
            while not damage(path, lot):
                copy = self.copy()
                damage = lot.choice(DAMAGES)
            self.judge(f"{damage.__name__} {path.relative_to(copy)}, {command.__name__[1:]}", command, copy)

    def judge(self, what: str, command: Command, copy: Path) -> None:
        before = snapshot(copy)
        code, outcome, seconds = self.run(command, copy)
        errors = (self.root / "err").read_text()
        if code == 2:
            self.happened["refused"] += 1
            if not re.fullmatch(r"stillhouse: [^\n]+\n", errors):
                self.problems.append(f"{what}: it said {errors[-600:]!r}")
            if seconds > SECONDS:
                self.problems.append(f"{what}: it took {seconds:.0f} s")
            if changed := [name for name, kept in snapshot(copy).items() | before.items() if before.get(name) != kept]:
                self.problems.append(f"{what}: it changed {', '.join(sorted(set(changed)))}")
        elif code == 0 and outcome == self.undamaged(command) and not errors:
            self.happened["no harm done"] += 1
        elif code in (0, 1) and "note: " in outcome and not errors:
            self.happened["noted"] += 1
        else:
            self.problems.append(f"{what}: it ended with {code} and said {errors[-600:] or outcome[-600:]!r}")

    def undamaged(self, command: Command) -> str:
        """Return what it prints where nothing is damaged."""
        if command not in self.expected:
            self.expected[command] = self.run(command, self.copy())[1]
        return self.expected[command]

    def run(self, command: Command, copy: Path) -> tuple[int | None, str, float]:
        """Return the exit code, what was printed without times and places, and the seconds of computing."""
        code = exit_code(_run, command(copy, self.nets).split(), self.root, patience=PATIENCE)
        if code is None:
            return None, "it hangs", PATIENCE
        written = self.root / "report.json"
        outcome = (self.root / "out").read_text() + (written.read_text() if written.exists() else "")
        written.unlink(missing_ok=True)
        outcome = outcome.replace(str(self.root), "")
        outcome = re.sub(r"(?m) +\d+\.\d +\d+:\d\d(:\d\d)?$", "", outcome)  # the last columns of a line about an epoch
        outcome = re.sub(r"\d+(\.\d+)? s\b|\d+:\d\d(:\d\d)? left|teacher cache: .* were read", "", outcome)
        return code, outcome, float((self.root / "seconds").read_text())


def _run(words: list[str], root: Path) -> None:
    os.chdir(root)  # the user's own, with the networks
    with (
        (root / "out").open("w") as out,
        (root / "err").open("w") as err,
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(plots, "save", lambda figure, path, formats: None),  # drawing takes seconds
    ):
        code = main(words)
    used = resource.getrusage(resource.RUSAGE_SELF)
    (root / "seconds").write_text(str(used.ru_utime + used.ru_stime))
    os._exit(code)


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return everything below a folder: time of its last change, size, and content where that is small."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and status.st_size < HUGE else b""
        found[str(path.relative_to(folder))] = (0 if path.is_dir() else status.st_mtime_ns, status.st_size, content)
    return found


def main_() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        damage = Damage(Path(root))
        damage.go(options.times, random.Random(options.seed))
    print(", ".join(f"{what} {count}" for what, count in sorted(damage.happened.items())))
    print("\n".join(damage.problems) or "nothing was believed that was damaged")
    raise SystemExit(1 if damage.problems else 0)


if __name__ == "__main__":
    main_()
