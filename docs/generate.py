"""Write methods.md from the classes of the catalogue, and mission.md from the recipes.

python docs/generate.py           writes the pages
python docs/generate.py --check   says which lines they lack or have wrong; exit code 1 if there are any
"""

import inspect
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from runpy import run_path
from types import FunctionType

import torch
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from stillhouse.batch import DataInfo  # noqa: E402
from stillhouse.contract import Citation  # noqa: E402
from stillhouse.contract.specimens import DATA, PAIRS  # noqa: E402
from stillhouse.contract.trial import Trial  # noqa: E402
from stillhouse.distillation import Distillation  # noqa: E402
from stillhouse.method import Method, Spot  # noqa: E402
from stillhouse.methods.parse import MethodSpec, catalogue, parse  # noqa: E402
from stillhouse.models import zoo  # noqa: E402
from stillhouse.taps import Tapped  # noqa: E402
from tests.golden.rows import ROWS  # noqa: E402

TARGET = Path(__file__).with_name("methods.md")
CIFAR100 = DataInfo(num_classes=100, image_size=32, labels=torch.arange(50_000) % 100, strong_view=True)
LOGITS = Spot("logits", "logits")
CODE = {"R": "RepDistiller", "S": "SemCKD", "D": "DSPP", "X": "SDD", "M": "mdistiller", "P": "PkuDavidGuan"}
CNNS = [pair.name for pair in PAIRS if "transformer" not in pair.name]

TEXT = """# Methods

Written by `python docs/generate.py` from the classes, at each release or when somebody runs it. A test keeps every
row true; `stillhouse list methods` also shows methods added since.

A method *reads* places of both networks ([anatomy.py](../stillhouse/anatomy.py)), paired from the deepest up. *Extra
parameters* are trained with the student or before it, and thrown away with the method (SimKD ships its own).
*Remembered* are buffers and parameters that are not trained. Both numbers are for resnet32x4 -> resnet8x4 on CIFAR-100;
wrappers are around KD. *Networks* are those that a method takes; others it refuses before training, with a reason. The
default *weight* is the paper's; a wrapper has that of the method inside. The other arguments are in the last table.

{methods}

## Wrappers

They take methods and are methods themselves: `ScaleDecoupled(KD)`, `SpotAdaptive([KD, AT])`,
`Ramped(Standardized(DKD))`.

{wrappers}

## Arguments, and where each method is tested

Arguments are typed as in Python: `KD(temperature=2)`. Those without a value here must be given. Every method equals its
equation written a second time, slowly, with loops in float64, in the file of its tests.
*Recorded values* are losses and gradients that its authors' code, or a benchmark's, returned for given inputs (`pytest
-m recorded` compares them). *Trainings* are a few steps of whole networks in that code, repeated here number by number
([test_trajectories.py](../tests/test_trajectories.py)). Where both are blank, no such code was available, and the
method was compared with its equation only.

{compared}
"""


def text() -> str:
    """Return the whole page."""
    method_specs = {name: parse(name + _inside(cls))[0] for name, cls in catalogue().items()}
    rows = {name: _row(name, spec) for name, spec in method_specs.items()}
    heads = ["method", "paper", "year", "reads", "extra parameters", "remembered", "networks", "weight"]
    compared = [[f"`{name}`", _arguments(cls), _tests(cls), *_compared(cls)] for name, cls in catalogue().items()]
    return TEXT.format(
        methods=_table(heads, [row for row in rows.values() if len(row) == len(heads)]),
        wrappers=_table(heads[:-1], [row for row in rows.values() if len(row) < len(heads)]),
        compared=_table(["method", "arguments", "tests", "recorded values", "trainings"], compared),
    )


def differences(written: str, right: str) -> tuple[list[str], list[str]]:
    """Return the lines of the page that are wrong, and those that are missing."""
    lines, right_lines = written.splitlines(), right.splitlines()
    return [line for line in lines if line not in right_lines], [line for line in right_lines if line not in lines]


def _row(name: str, spec: MethodSpec) -> list[str]:
    """Return a method's cells; a wrapper has no weight of its own."""
    method = spec.build()
    distillation = Distillation(zoo("resnet8x4", 100), _teacher(), [method], CIFAR100)
    cells = [f"`{name}`", *_paper(spec.cls), _reads(method), *_sizes(distillation, method), _networks(spec)]
    return cells if _inside(spec.cls) else [*cells, f"{method.weight:g}"]


@cache
def _teacher() -> Tapped:
    return Tapped(zoo("resnet32x4", 100))


def _inside(cls: type[Method]) -> str:
    """Return the methods inside a wrapper in the table, as written after its name."""
    takes = inspect.signature(cls).parameters
    return "(KD)" if "base" in takes else "([KD])" if "terms" in takes else ""


def _paper(cls: type[Method]) -> tuple[str, str]:
    """Return title, authors and venue, with a link, and the year."""
    cited = Citation.of(cls)
    if cited is None:
        return (inspect.getdoc(cls) or "").partition(";")[0].partition(",")[0].partition(".")[0], ""
    title, identifier = cited.title, cited.identifier or ""
    if identifier.startswith("arXiv:"):
        title = f"[{title}](https://arxiv.org/abs/{identifier.removeprefix('arXiv:')})"
    elif re.fullmatch(r"\w{10}", identifier):
        title = f"[{title}](https://openreview.net/forum?id={identifier})"
    return f"{title}, {cited.authors}, {cited.venue}", cited.year


def _reads(method: Method) -> str:
    if not method.needs_teacher:
        return "labels"
    student, teacher = (list(dict.fromkeys(places)) for places in zip(*method.spots or [LOGITS], strict=True))
    if student == teacher:
        return ", ".join(student) + (", each with each" if len(method.spots) > len(student) else "")
    return f"{', '.join(student)} with {', '.join(teacher)}"


def _sizes(distillation: Distillation, method: Method) -> tuple[str, str]:
    """Return the number of parameters trained in any phase, and of other numbers kept."""
    student = {id(p) for p in distillation.student.parameters()}
    groups = [group for phase in distillation.phases(1) for group in phase.groups]
    trained = {id(p): p.numel() for group in groups for p in group.parameters if id(p) not in student}
    kept = sum(value.numel() for value in method.state_dict(keep_vars=True).values() if id(value) not in trained)
    return f"{sum(trained.values()):,}", f"{kept:,}"


def _networks(spec: MethodSpec) -> str:
    """Return the pairs of `stillhouse check` that a method takes."""
    taken = []
    for pair in PAIRS:
        try:
            Trial(spec, pair, replace(DATA, strong_view=True))
        except ValueError:
            continue
        taken.append(pair.name)
    refused = [pair.name for pair in PAIRS if pair.name not in taken]
    if not refused:
        return "any"
    if taken == CNNS:
        return "CNNs"
    if taken == ["a ResNet from a deeper one"]:
        return "CNNs of equal width"
    return f"any but {', '.join(refused)}"


def _arguments(cls: type[Method]) -> str:
    """Return a method's arguments with their defaults, except the weight."""
    known = [one for one in inspect.signature(cls).parameters.values() if one.name != "weight"]
    words = [one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in known]
    return f"`{', '.join(words)}`" if words else ""


def _test_module(cls: type[Method]) -> str:
    folder, _, file = cls.__module__.removeprefix("stillhouse.").rpartition(".")
    return f"tests.{folder}.test_{file}"


def _tests(cls: type[Method]) -> str:
    """Return a link to the file of a method's tests."""
    path = f"{_test_module(cls).replace('.', '/')}.py"
    return f"[{path.rpartition('/')[2]}](../{path})"


def _compared(cls: type[Method]) -> tuple[str, str]:
    """Return "yes" if a method's test file has `recorded` tests, and its recorded trainings by code base."""
    tests = vars(import_module(_test_module(cls))).values()
    marks = [mark.name for test in tests if isinstance(test, FunctionType) for mark in vars(test).get("pytestmark", ())]
    sources = Counter(case[0] for case, used in _classes_by_case().items() if any(issubclass(one, cls) for one in used))
    return "yes" if "recorded" in marks else "", ", ".join(f"{CODE[code]} {count}" for code, count in sources.items())


@cache
def _classes_by_case() -> dict[str, set[type[nn.Module]]]:
    """Return the classes of all methods, and of those inside them, by recorded training."""
    return {case: {type(part) for one in row.methods() for part in one.modules()} for case, row in ROWS.items()}


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(arguments: Sequence[str]) -> int:
    torch.set_num_threads(1)  # the networks are small
    mission = run_path(str(TARGET.with_name("mission.py")))["text"]
    stale = 0
    for target, right in ((TARGET.with_name("mission.md"), mission()), (TARGET, text())):
        if "--check" not in arguments:
            target.write_text(right)
            continue
        wrong, lacking = differences(target.read_text(), right)
        if wrong or lacking:
            print(f"{target} is stale: python docs/generate.py", *wrong, *lacking, sep="\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
