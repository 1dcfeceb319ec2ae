"""`stillhouse check`: test methods against the contract in seconds, on small networks."""

from __future__ import annotations

import inspect
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..methods.parse import MethodSpec, parse
from ..training.progress import Display
from . import LAWS, Broken, Law, NotApplicable, Subject

Verdict = Literal["ok", "note", "not applicable", "wrong"]


@dataclass(frozen=True)
class Finding:
    """The outcome of one law for one method."""

    law: Law
    verdict: Verdict
    remark: str = ""

    def __str__(self) -> str:
        return f"{self.verdict:14}  {self.law.says}" + (f": {self.remark}" if self.remark else "")


def check(methods: str, display: Display) -> None:
    """Test methods against every law of the contract and print the outcomes; a repeated error is printed once.

    Args:
        methods: As for `stillhouse distill`: 'my_method.py:MyMethod', 'SpotAdaptive([KD, AT])'.

    Raises:
        ValueError: If a method breaks a law.
    """
    failed = []
    for spec in parse(methods):
        began = time.perf_counter()
        display.say(f"{spec}")
        subject = Subject(spec)
        verdicts: Counter[Verdict] = Counter()
        errors: Counter[str] = Counter()
        for law in LAWS:
            finding = outcome(law, subject)
            verdicts[finding.verdict] += 1
            if finding.verdict == "wrong":
                errors[finding.remark] += 1
            if errors[finding.remark] < 2:
                display.say(f"  {finding}")
        for error, laws in errors.items():
            if laws > 1:
                display.say(f"  {'wrong':14}  {laws - 1} more laws, by the same error: {error.partition(': ')[0]}")
        display.say(f"{spec.name}: {_summary(verdicts)}, {time.perf_counter() - began:.1f} s")
        if verdicts["wrong"]:
            failed.append(f"{spec.name} breaks {verdicts['wrong']} of {len(LAWS)} laws")
    if failed:
        raise ValueError("; ".join(failed))


def outcome(law: Law, subject: Subject) -> Finding:
    """Test a method against a law, and report any error of its code as an outcome."""
    try:
        with warnings.catch_warnings(action="ignore"):
            remark = law.try_on(subject)
    except NotApplicable as reason:
        return Finding(law, "not applicable", str(reason))
    except Broken as broken:
        return Finding(law, "wrong", str(broken))
    except Exception as error:  # a user's code can fail in any way
        return Finding(law, "wrong", _in_a_line(error, subject.spec))
    return Finding(law, "note" if remark else "ok", remark)


def _summary(verdicts: Counter[Verdict]) -> str:
    parts = [f"{verdicts['ok']} ok", f"{verdicts['note']} with a note", f"{verdicts['not applicable']} not applicable"]
    return f"{verdicts.total()} laws: {', '.join(parts)}, {verdicts['wrong']} broken"


def _in_a_line(error: Exception, spec: MethodSpec) -> str:
    """Return an error as one line, with the last line of the method's own file in its traceback."""
    own = inspect.getfile(spec.cls)
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    place = [frame for frame in frames if frame.filename == own][-1:] or frames[-1:]
    where = f"{Path(place[0].filename).name}, line {place[0].lineno}"
    return f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:300]}"
