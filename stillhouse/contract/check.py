"""`stillhouse check`: whether methods keep the contract, in seconds, on small networks."""

from __future__ import annotations

import inspect
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..methods.parse import MethodSpec, parse
from ..training.progress import Display
from . import LAWS, Broken, Law, Subject


@dataclass(frozen=True)
class Finding:
    """What came out when a law was tried."""

    law: Law
    verdict: Literal["ok", "note", "wrong"]
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:5}  {self.law.says}" + (f": {self.remark}" if self.remark else "")


def check(methods: str, display: Display) -> None:
    """Try every law of the contract on methods, and say what came out.

    Args:
        methods: As for `stillhouse distill`: 'my_method.py:MyMethod', 'SpotAdaptive([KD, AT])'.

    Raises:
        ValueError: If one breaks a law.
    """
    failed = []
    for spec in parse(methods):
        began = time.perf_counter()
        display.say(f"{spec}")
        subject = Subject(spec)
        findings = []
        for law in LAWS:
            findings.append(tried(law, subject))
            display.say(f"  {findings[-1]}")
        wrong = sum(finding.verdict == "wrong" for finding in findings)
        notes = sum(finding.verdict == "note" for finding in findings)
        seconds = time.perf_counter() - began
        display.say(f"{spec.name}: {len(findings)} laws, {wrong} broken, {notes} with a note, {seconds:.1f} s")
        failed += [f"{spec.name} breaks {wrong} of {len(findings)} laws"] if wrong else []
    if failed:
        raise ValueError("; ".join(failed))


def tried(law: Law, subject: Subject) -> Finding:
    """What comes out when a law is tried on a method, whatever its code does."""
    try:
        with warnings.catch_warnings(action="ignore"):
            remark = law.try_on(subject)
    except Broken as broken:
        return Finding(law, "wrong", str(broken))
    except Exception as error:  # somebody else's code can fail in any way
        return Finding(law, "wrong", _in_a_line(error, subject.spec))
    return Finding(law, "note" if remark else "ok", remark)


def _in_a_line(error: Exception, spec: MethodSpec) -> str:
    """An error, and the last line of the method's own file that it came through."""
    own = inspect.getfile(spec.cls)
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    place = [frame for frame in frames if frame.filename == own][-1:] or frames[-1:]
    where = f"{Path(place[0].filename).name}, line {place[0].lineno}"
    return f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:300]}"
