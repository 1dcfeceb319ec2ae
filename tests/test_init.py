"""The names that `import stillhouse` offers."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import stillhouse

SOURCE = Path(stillhouse.__file__)


def test_every_public_name_is_found_and_type_checkers_see_the_same_names() -> None:
    imports = [node for node in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports if node.level == 1 for alias in node.names}
    assert sorted(seen) == dir(stillhouse)
    for name, module in seen.items():
        assert getattr(stillhouse, name) is getattr(importlib.import_module(f"stillhouse.{module}"), name)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="module 'stillhouse' has no attribute 'fitt'"):
        stillhouse.fitt  # type: ignore[attr-defined]  # noqa: B018


def test_the_package_alone_imports_no_pytorch() -> None:
    code = "import stillhouse, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
