"""House rules: what keeps the code readable, checked so that nobody has to remember."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "stillhouse").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]


def without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    tree = ast.parse(text)
    if path.parent.name in ("methods", "wrappers"):
        assert len(ast.unparse(without_docstrings(tree)).splitlines()) <= 145
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 85, node.name


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_nothing_is_tied_to_a_device_or_prints(path: Path) -> None:
    text = path.read_text()
    for forbidden in (r"\.cuda\(", r"(?<!\.)\bprint\(", r"if .*method(_name)? == [\"']"):
        assert not re.search(forbidden, text), forbidden


@pytest.mark.parametrize("folder", ["methods", "wrappers"])
def test_methods_wait_for_no_device_in_a_step(folder: str) -> None:
    for path in sorted((ROOT / "stillhouse" / folder).glob("*.py")):
        assert ".item()" not in path.read_text(), path.name


def test_every_source_file_has_a_test_file() -> None:
    missing = []
    for path in SOURCES:
        relative = path.relative_to(ROOT / "stillhouse")
        if path.name not in ("__init__.py", "__main__.py", "cifar100_names.py"):  # the last is a list of words
            mirror = ROOT / "tests" / relative.parent / f"test_{path.name}"
            missing += [] if mirror.is_file() else [str(relative)]
    assert missing == []


def test_the_readme_names_every_top_level_file() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) < 200
    tree = readme[readme.index("## Where things are") :]
    for path in sorted((ROOT / "stillhouse").iterdir()):
        if not path.name.startswith("__"):
            assert path.name in tree, path.name


def test_the_readme_example_runs(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.S)
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert 0 <= float(done.stdout) <= 100
