"""Folders of runs that name code, lie about themselves, or have pipes, devices and links in the places of files."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import torch

from stillhouse.training.run_files import dump_result
from tests.hostile import pickles, weights
from tests.hostile.trial import Case, Ends, Ground, Maker
from tests.hostile.watch import MARK

TAGS = f"!!python/object/apply:os.system ['touch {MARK}']"
ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n  k{n}: 1\n" for n in range(1, 12)
)

YAML: dict[str, Callable[[str], str | bytes]] = {
    "a tag that runs code": lambda text: f"x: {TAGS}\n{text}",
    "data with a tag": lambda text: text.replace("data:", f"data: {TAGS} #"),
    "aliases of aliases": lambda text: ALIASES + text,
    "data of aliases": lambda text: ALIASES + text.replace("data:", "data: *a11 #"),
    "merges of merges": lambda text: MERGES + text,
    "an alias to itself": lambda text: "x: &x [*x]\n" + text.replace("data:", "data: *x #"),
    "brackets": lambda text: "x: " + "[" * 100_000,
    "braces": lambda text: "{a: " * 100_000,
    "5 MB": lambda text: text + "x: y\n" * 1_000_000,
    "NUL": lambda text: text + "\0",
    "no text": lambda text: b"\xff\xfe\x00\xd8",
    "a list": lambda text: "- methods:\n- a\n",
    "data that are code beside it": lambda text: text.replace("data:", "data: evil.py:load #"),
    "data that are a module beside it": lambda text: text.replace("data:", "data: evil:load #"),
    "data that are Python's code": lambda text: text.replace("data:", "data: os:getcwd #"),
    "data on another machine": lambda text: text.replace("data:", "data: http://127.0.0.1:9/ #"),
    "data that colour": lambda text: text.replace("data:", 'data: "\\e[31m\\a" #'),
    "data that are a device": lambda text: text.replace("data:", "data: /dev/zero #"),
    "a class path": lambda text: text + "class_path: subprocess.Popen\ninit_args:\n  args: [touch, x]\n",
    "another configuration": lambda text: text + "config: /etc/passwd\n",
}
DISTILLED: dict[str, Callable[[str], str]] = {
    "methods that are code": lambda text: text.replace("methods:", "methods: evil.py:Net #"),
    "methods that are Python's": lambda text: text.replace("methods:", "methods: 'os:system(\"x\")' #"),
    "methods in brackets": lambda text: text.replace("methods:", f"methods: '{'Ramped(' * 3000}' #"),
    "a student that is code": lambda text: text.replace("student:", "student: evil.py:Net #"),
    "a teacher that is code": lambda text: text.replace("teacher:", "teacher: evil.py:Net #"),
}
JSON: dict[str, Callable[[str], str | bytes]] = {
    "brackets": lambda text: "[" * 1_000_000,
    "objects in objects": lambda text: '{"a":' * 1_000_000,
    "a number of many digits": lambda text: '{"top1": ' + "9" * 1_000_000 + "}",
    "infinity": lambda text: text.replace("1", "1e999", 1),
    "a name twice": lambda text: text.replace("{", '{"epoch": 1, "epoch": 1, "top1": 1, "top1": 2, ', 1),
    "NUL": lambda text: "\0" * 1000,
    "no text": lambda text: b"\xff\xfe\x00\xd8",
    "half a surrogate": lambda text: text.replace('"', '"\\ud800', 1),
    "a word": lambda text: '"epoch"',
    "commands for a terminal": lambda text: text.replace('"', '"\\u001b[31m\\u0007', 1),
}
ODD: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "the kernel's log": lambda path: path.symlink_to("/proc/kmsg"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a terabyte": pickles.sparse,
}


def given(ground: Ground, run: Path, name: str = "given-00000000") -> Path:
    """Copy a finished run, with a module beside its files that must not be run."""
    copy = Path(shutil.copytree(run, ground.place / name))
    (copy / "evil.py").write_text(weights.evil())
    (ground.place / "evil.py").write_text(weights.evil())
    return copy


def seal(run: Path) -> None:
    """Write the checksums of what now lies in a run."""
    result = {key: value for key, value in json.loads((run / "result.json").read_text()).items() if key != "checksums"}
    (run / "result.json").write_bytes(dump_result(run, result))


def _reader(ground: Ground, run: Path, lot: random.Random, ends: Ends = "refused") -> Case:
    here = lot.choice(["case", str(run.relative_to(ground.root))])  # where what it names would be found
    words = [ground.evaluate(run), ground.distill("--teacher", str(run))]
    return Case(lot.choice(words), ends, here=here)


def _header(about: Callable[[dict[str, object]], object]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        run = given(ground, ground.teacher)
        weights.forge(run / "model.safetensors", run / "model.safetensors", about)
        seal(run)
        return _reader(ground, run, lot, "either")

    return make


def _config(change: Callable[[str], str | bytes], is_distilled: bool) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        run = given(ground, ground.distilled if is_distilled else ground.teacher)
        content = change((run / "config.yaml").read_text())
        (run / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
        here = lot.choice(["here", "case", str(run.relative_to(ground.root))])
        if is_distilled:
            return Case(["inspect", str(run), "--device", "cpu", "--images", "6"], "refused", here=here)
        by_config = ["train", "--config", str(run / "config.yaml"), "--folder", str(ground.root / "runs")]
        return Case(lot.choice([ground.evaluate(run), by_config]), "either", here="here")

    return make


def _file(name: str, change: Callable[[str], str | bytes]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        run = given(ground, ground.distilled)
        content = change((run / name).read_text())
        (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        if name == "metrics.jsonl":
            seal(run)
        return Case(["inspect", str(run), "--device", "cpu", "--images", "6"])

    return make


def _odd(name: str, put: Callable[[Path], object]) -> Maker:
    def make(ground: Ground, lot: random.Random) -> Case:
        run = given(ground, ground.distilled)
        (run / name).unlink()
        put(run / name)
        return Case(["inspect", str(run), "--device", "cpu", "--images", "6"])

    return make


def _resumed(name: str, put: Callable[[Path], object], ends: Ends = "refused") -> Maker:
    """Return what makes an unfinished run in which one file is hostile, and the command that goes on with it."""

    def make(ground: Ground, lot: random.Random) -> Case:
        run = given(ground, ground.teacher, ground.teacher.name)
        for file in ("result.json", "model.safetensors", "best.safetensors", "evil.py", name):
            (run / file).unlink(missing_ok=True)
        put(run / name)
        words = ground.train(ground.pictures, "--epochs", "8")
        at = words.index("--folder") + 1
        return Case([*words[:at], str(ground.place), *words[at + 1 :]], ends)

    return make


def _state(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content())


STATES: dict[str, Callable[[Path], object]] = {
    **{name: _state(lambda name=name: weights.FILES[name]()) for name in weights.OF_STATES},  # type: ignore[misc]
    "nothing in it": lambda path: torch.save({}, path),
    "lists": lambda path: torch.save([[[]]], path),
    "itself": lambda path: torch.save(weights.itself(), path),
    **ODD,
}

KINDS: dict[str, Maker] = {
    **{f"run: header with {name}": _header(about) for name, about in weights.HEADERS.items() if "hub" not in name},
    **{f"run: config with {name}": _config(change, False) for name, change in YAML.items()},
    **{f"run: config of inspect with {name}": _config(change, True) for name, change in {**YAML, **DISTILLED}.items()},
    **{f"run: result with {name}": _file("result.json", change) for name, change in JSON.items()},
    **{f"run: rows with {name}": _file("metrics.jsonl", change) for name, change in JSON.items()},
    **{f"run: {name} as config.yaml": _odd("config.yaml", put) for name, put in ODD.items()},
    **{f"run: {name} as result.json": _odd("result.json", put) for name, put in ODD.items()},
    **{f"run: {name} as weights": _odd("student.safetensors", put) for name, put in ODD.items()},
    **{
        f"run: state with {name}": _resumed("state.pt", put)
        for name, put in STATES.items()
        if name != "a link to itself"
    },
}
