"""Bad values for every option of every command and every argument of every method: python -m tests.bad_values

What is tried follows from annotations, so that a new option or argument is tried without a word here. As a script it
runs all of them through the command line, in one process, and prints those that did not end as they must.
"""

import contextlib
import dataclasses
import inspect
import io
import re
import sys
import tempfile
import time
import typing
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union

from stillhouse.__main__ import main
from stillhouse.cli import parser
from stillhouse.cli.arguments import option_groups
from stillhouse.methods.spec import catalogue
from tests.helpers.commands import METHOD, contents
from tests.helpers.networks import quick_net_file
from tests.helpers.pictures import write_pictures

HUGE = "1" + 30 * "0"
LONG = "x" * 100_000
NUMBERS = ["nan", "1e400", "-1e400", HUGE, f"-{HUGE}", "abc", "[]", "[1, 2]", "{a: 1}", "\x1b[31m", LONG]
VALUES: dict[object, list[str]] = {
    int: ["-5", "1.5", *NUMBERS],
    float: ["-5", *NUMBERS],
    bool: ["2", "maybe", "[]", LONG],
    str: [LONG, "\x1b[31mred", "[]", "/no/where"],
    Path: [],  # whatever can be typed may be the name of a folder
    Literal: ["other", "-1", "[]", LONG],
    tuple: ["-5", "[-1]", "[nan]", "[1e400]", f"[{HUGE}]", "[[1]]", "[a]", "[1.5]", LONG],
}
GOOD_ARGUMENTS = {("OFD", "margin", "-5.0"), ("SpotAdaptive", "prior", "-5.0")}
GOOD = {"seed": ["-5"], "recipe": [], "config": [], "methods": []}  # values that are no mistake for these options


def kinds(hint: object) -> list[object]:
    """Return the plain types that an annotation is made of."""
    origin = typing.get_origin(hint)
    if origin is Annotated:
        return kinds(typing.get_args(hint)[0])
    if origin in (Union, UnionType):
        return [kind for one in typing.get_args(hint) for kind in kinds(one)]
    return [origin if origin in (Literal, tuple) else hint]


def values(name: str, hint: object) -> list[str]:
    """Return values that are a mistake for whatever this annotation means."""
    found = [value for kind in kinds(hint) for value in VALUES.get(kind, [])]
    if dataclasses.is_dataclass(next(iter(kinds(hint)))):
        found = ["abc", "[]", "{stages: 3}", "{legs: 4}", "1", LONG]
    return ["", *(value for value in dict.fromkeys(found) if value not in GOOD.get(name, []))]


def options() -> Iterator[tuple[str, str, str]]:
    """Yield every command, option and bad value."""
    for command, about in parser._COMMANDS.items():
        seen: set[str] = set()
        for group in option_groups(about.options):
            for name, hint in typing.get_type_hints(group, include_extras=True).items():
                if name not in seen:
                    yield from ((command, name, value) for value in values(name, hint))
                seen.add(name)


def arguments() -> Iterator[tuple[str, str, str]]:
    """Yield every method, argument and bad value, as text that Python can read."""
    bad = {int: ["-5", HUGE, "1e400", "1.5", "'x'"], float: ["-5.0", "1e30", "1e400", "-1e400", "'x'"], str: ["''"]}
    for name, cls in catalogue().items():
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
        for argument in inspect.signature(cls).parameters:
            for kind in kinds(hints.get(argument, object)):
                tried = [(name, argument, value) for value in bad.get(kind, [])]  # type: ignore[call-overload] # any key
                yield from (one for one in tried if one not in GOOD_ARGUMENTS)
            if typing.get_origin(hints.get(argument)) is Annotated and "Sequence" in str(hints[argument]):
                yield name, argument, "[]"


@dataclasses.dataclass(frozen=True)
class Ground:
    """Data, networks and a finished run to type bad values at."""

    root: Path
    words: dict[str, list[str]]

    @classmethod
    def make(cls, root: Path) -> "Ground":
        pictures, nets = write_pictures(root / "pictures"), quick_net_file(root)
        (root / "my_kd.py").write_text(METHOD)
        small = f"--data {pictures} --batch_size 16 --device cpu".split()
        runs = ["--epochs", "1", "--folder", str(root / "runs")]
        assert main(["train", "--model", f"{nets}:wide", *small, "--epochs", "4", "--folder", str(root / "runs")]) == 0
        teacher = str(next((root / "runs").iterdir()))
        distill = ["--teacher", teacher, "--student", f"{nets}:small", *small, *runs, "--baseline", "false"]
        with contextlib.chdir(root):  # the user's own, with the networks
            assert main(["distill", *distill]) == 0
        run = str(next((root / "runs").glob("*from*")))
        return cls(
            root,
            {
                "train": ["--model", f"{nets}:small", *small, *runs],
                "distill": distill,
                "plan": [str(pictures), "--teacher", teacher, "--student", f"{nets}:small", *small[2:], *runs],
                "evaluate": [teacher, "--data", str(pictures), "--device", "cpu", "--report", str(root / "report")],
                "predict": [teacher, str(pictures / "val"), "--device", "cpu"],
                "export": [teacher, "--to", "torchscript", "-o", str(root / "out"), "--compiled", "false"],
                "cache": ["--teacher", teacher, *small, "--folder", str(root / "runs")],
                "inspect": [run, "--device", "cpu"],
                "report": [run],
                "probe": [teacher, "--data", str(pictures), "--device", "cpu"],
                "bench": [*distill[:-2], "--seeds", "1", "--methods", "CE + KD"],
                "pick": [str(pictures), "--teacher", teacher, "--students", f"{nets}:small", *small[2:], *runs],
                "grid": [*distill[:-2], "--methods", "CE + KD", "--grid", "KD.temperature=2"],
            },
        )

    def ends(self, command: str, option: str, value: str) -> str | None:
        """Run a command with a bad value, and return what is wrong with how it ends."""
        typed = [value] if option in parser._COMMANDS[command].positional else [f"--{option}", value]
        words = self.words[command]
        words = [*typed, *words[1:]] if len(typed) == 1 else [*words, *typed]
        before, began = contents(self.root), time.process_time()
        out, err = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.root):
                code: object = main([command, *words])
        except BaseException as error:  # whatever it is, it is a mistake
            code = f"{type(error).__name__}: {str(error)[:200]}"
        said = err.getvalue()
        if code != 2:
            return f"ended with {code!r}"
        if not said.startswith("stillhouse: ") or said.count("\n") != 1 or len(said) > 2000:
            return f"said {said[:300]!r} ({len(said)} letters)"
        if re.search(r"[\x00-\x09\x0b-\x1f]", said):
            return "wrote control characters"
        if contents(self.root) != before:
            return "changed files"
        seconds = time.process_time() - began
        return f"took {seconds:.0f} s" if seconds > 30 else None


def judge(name: str, argument: str, value: str) -> str | None:
    """Build a method with a bad argument, and return what is wrong with how it ends."""
    needed: dict[str, Any] = {}
    if {"base", "terms"} & set(inspect.signature(catalogue()[name]).parameters):
        base = catalogue()["KD"]()  # type: ignore[call-arg] # its weight has a default
        needed = {"base": base} if "base" in inspect.signature(catalogue()[name]).parameters else {"terms": [base]}
    try:
        catalogue()[name](**{**needed, argument: float(value) if value in ("1e400", "-1e400") else eval(value)})
    except ValueError as error:
        return None if re.match(rf"{name}: {argument} must ", str(error)) else f"said {error}"
    return "was taken"


def run() -> int:
    """Try all options, print the bad ends, and return their number."""
    bad = tried = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        with contextlib.redirect_stdout(io.StringIO()):
            ground = Ground.make(Path(folder))
        for command, option, value in options():
            wrong = ground.ends(command, option, value)
            tried, bad = tried + 1, bad + bool(wrong)
            if wrong:
                sys.stdout.write(f"{command} --{option} {value[:40]!r}: {wrong}\n")
    for name, argument, value in arguments():
        wrong = judge(name, argument, value)
        tried, bad = tried + 1, bad + bool(wrong)
        if wrong:
            sys.stdout.write(f"{name}({argument}={value[:40]}): {wrong}\n")
    sys.stdout.write(f"{tried} bad values, {bad} of them did not end with one sentence and exit code 2\n")
    return bad


if __name__ == "__main__":
    sys.exit(run() > 0)
