"""Spoils the source in one place at a time and looks whether the tests notice.

    nice python -m tests.mutants stillhouse/methods/layers [more files or folders]
        [--also tests/methods/test_contract.py ...] [--sample 100] [--seed 0] [--list]

Each spoilt version, a mutant, is written into a temporary copy of the working tree. The file's mirror test runs first;
where that passes, so do the tests behind `--also`. A mutant that all of them let pass is printed: either a test is
missing, or the mutant computes the same (say so where you count them).
"""

import argparse
import ast
import contextlib
import importlib
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("stillhouse", "tests", "recipes", "docs", "pyproject.toml", "README.md")  # what tests read

_COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(), ast.LtE: ast.Lt(), ast.Gt: ast.GtE(), ast.GtE: ast.Gt(), ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(), ast.Is: ast.IsNot(), ast.IsNot: ast.Is(), ast.In: ast.NotIn(), ast.NotIn: ast.In(),
}  # fmt: skip
_OPERATORS: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Div(), ast.Div: ast.Mult(), ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.FloorDiv(), ast.Pow: ast.Mult(), ast.BitAnd: ast.BitOr(), ast.BitOr: ast.BitAnd(),
}  # fmt: skip
_TRUTHS = (ast.Name, ast.Call, ast.Attribute)  # conditions that no operator changes
_LEFT_ALONE = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)
_NAMES = {"min": "max", "max": "min", "amin": "amax", "amax": "amin", "argmax": "argmin", "argmin": "argmax",
          "any": "all", "all": "any", "sum": "mean", "mean": "sum", "floor": "ceil", "ceil": "floor"}  # fmt: skip
_REMOVABLE = {"clamp", "clamp_min", "detach", "abs", "square", "sqrt", "clone", "contiguous", "eval", "train", "neg_",
              "flatten", "lower", "strip", "resolve", "expanduser", "sorted", "mul_", "add_"}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A file with one place changed."""

    path: Path  # relative to the root
    line: int
    change: str  # for people
    text: str  # of the whole file

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.change}"


def mutants(path: Path, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a file; those that cannot be parsed are none."""
    lines = text.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:i])) for i in range(len(lines) + 1)]
    for node, after in _changes(ast.parse(text)):
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
        source = text.encode()
        changed = (source[:begin] + after.encode() + source[end:]).decode()
        left, right = source[starts[node.lineno - 1] : begin], source[end : starts[node.end_lineno]]
        before = source[begin:end].decode()
        with contextlib.suppress(SyntaxError):
            ast.parse(changed)
            shown = f"{left.decode()}[[{_short(before)} -> {_short(after)}]]{right.decode()}".strip()
            yield Mutant(path, node.lineno, shown, changed)


def _changes(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield nodes and what to write in their place."""
    for node in _mutable(tree):
        if isinstance(node, ast.stmt):
            yield from ((node, after) for after in _statements(node))
        if isinstance(node, ast.If | ast.IfExp | ast.While) and isinstance(node.test, _TRUTHS):
            yield node.test, f"(not {ast.unparse(node.test)})"
        if isinstance(node, ast.FunctionDef):
            yield from ((one, "(lambda f: f)") for one in node.decorator_list if "no_grad" in ast.unparse(one))
        elif isinstance(node, ast.expr):
            yield from ((node, f"({ast.unparse(after)})") for after in _expressions(node))


def _mutable(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is neither a message, nor an annotation, nor a docstring, nor a check of what cannot happen."""
    if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip, as an assertion
        return
    yield node
    skipped = {"annotation", "returns", "type_params", "format_spec"}
    for field, value in ast.iter_fields(node):
        if field in skipped or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, _LEFT_ALONE):
                yield from _mutable(child)


def _statements(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Constant() | ast.Call(func=ast.Attribute(attr="__init__"))):  # a docstring, or needed
            return
        case ast.Expr() | ast.AugAssign() | ast.Assign(targets=[ast.Subscript()]):
            yield "pass"
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Attribute(attr="no_grad")))]):
            yield ast.unparse(ast.If(ast.Constant(1), node.body, [])).replace("\n", "\n" + " " * node.col_offset)
        case ast.Continue():
            yield "break"
        case ast.Break():
            yield "continue"


def _expressions(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARISONS:
            yield ast.Compare(left, [_COMPARISONS[type(op)]], [right])
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield ast.BinOp(left, _OPERATORS[type(op)], right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
            yield from values
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield ast.Constant(value + 1 if isinstance(value, int) else value * 2 or 1.0)
        case ast.Call(func=ast.Attribute(value=inner, attr=name)) if name in _REMOVABLE:
            yield inner
        case ast.Call(func=ast.Name(id="sorted"), args=[inner, *_]):
            yield ast.Call(ast.Name("list"), [inner], [])
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=arguments, keywords=keywords):
            if name in _NAMES:
                yield ast.Call(ast.Attribute(inner, _NAMES[name]), arguments, keywords)
            dropped = [one for one in keywords if one.arg != "strict"]
            yield from (ast.Call(node.func, arguments, [k for k in keywords if k is not one]) for one in dropped)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in _NAMES:
            other = _NAMES[name]
            yield ast.Call(ast.Name(other), arguments, keywords)


def _short(source: str) -> str:
    line = re.sub(r"\s+", " ", source)
    return line if len(line) <= 60 else line[:57] + "..."


def mirror(path: Path) -> Path:
    """The test file of a source file, both relative to the root."""
    return Path("tests") / path.relative_to("stillhouse").parent / f"test_{path.name}"


class Copy:
    """A copy of the working tree, whose tests run in forks of this process: torch is loaded once."""

    def __init__(self, root: Path, folder: Path):
        self.folder = folder
        for name in NEEDED:
            if (root / name).is_dir():
                shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (root / name).is_file():
                shutil.copy(root / name, folder / name)

    def passes(self, tests: Sequence[str], seconds: float) -> bool:
        """Run tests; a failure, an error and a run of more than so many seconds are no pass."""
        child = os.fork()
        if not child:
            os.setsid()
            os._exit(_run(self.folder, tests))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return False

    @contextlib.contextmanager
    def spoilt(self, mutant: Mutant) -> Iterator[None]:
        path = self.folder / mutant.path
        whole = path.read_text()
        path.write_text(mutant.text)
        try:
            yield
        finally:
            path.write_text(whole)


def _run(folder: Path, tests: Sequence[str]) -> int:
    import pytest

    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = str(folder)
    sys.dont_write_bytecode = True  # a mutant may have the time and the size of the one before
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "stillhouse")]:
        del sys.modules[name]
    options = ["-n", "0", "-x", "-q", "--assert=plain", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    return int(pytest.main([*options, *tests]))


def examine(root: Path, chosen: Sequence[Mutant], also: Sequence[str], say: Callable[[str], None]) -> list[Mutant]:
    """Return the mutants that live, in the order in which they were given."""
    alive = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy, limits = Copy(root, Path(folder)), dict[str, float]()
        for tests in dict.fromkeys([*(str(mirror(mutant.path)) for mutant in chosen), *also]):
            began = time.monotonic()
            if not copy.passes([tests], 600):
                raise SystemExit(f"{tests} fails without any mutant")
            limits[tests] = 20 + 5 * (time.monotonic() - began)
        for number, mutant in enumerate(chosen, 1):
            with copy.spoilt(mutant):
                if all(copy.passes([tests], limits[tests]) for tests in (str(mirror(mutant.path)), *also)):
                    alive.append(mutant)
                    say(f"{number}/{len(chosen)} lives: {mutant}")
    return alive


def _import_libraries(tests: Sequence[str]) -> None:
    """Import PyTorch and whatever else tests import, once, before the forks; they import our own modules anew."""
    import torch

    torch.set_num_threads(1)
    for path in dict.fromkeys(tests):
        with contextlib.suppress(Exception):
            importlib.import_module(path.removesuffix(".py").replace("/", "."))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="+", help="files or folders below stillhouse/")
    parser.add_argument("--also", nargs="*", default=[], help="tests for mutants that a mirror test lets live")
    parser.add_argument("--sample", type=int, help="examine so many mutants only, sampled at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    options = parser.parse_args(arguments)

    given = [ROOT / path for path in options.paths]
    files = [file for path in given for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    files = [file.relative_to(ROOT) for file in files if (ROOT / mirror(file.relative_to(ROOT))).is_file()]
    found = [mutant for file in files for mutant in mutants(file, (ROOT / file).read_text())]
    if options.sample is not None and options.sample < len(found):
        found = random.Random(options.seed).sample(found, options.sample)
    if options.list:
        print(*found, sep="\n")
        return
    _import_libraries([*(str(mirror(mutant.path)) for mutant in found), *options.also])
    alive = examine(ROOT, found, options.also, say=lambda line: print(line, flush=True))
    print(f"{len(found) - len(alive)} of {len(found)} mutants died")


if __name__ == "__main__":
    main()
