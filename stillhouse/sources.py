"""Which files of a user's own code something depends on."""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path

_INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_OURS = Path(__file__).resolve().parent


def files_behind(name: str) -> list[Path]:
    """The file of `package.module` or `file.py`, then those it imports, directly or not: all that is not installed.

    They are read, not run, and looked for where Python looks for modules (`sys.path`).
    """
    own = name.endswith(".py")
    waiting = [(Path(name).expanduser().resolve(), "")] if own else [*_found(name)]
    files: list[Path] = []
    while waiting:
        path, package = waiting.pop(0)
        if path in files or _is_installed(path):
            continue
        files.append(path)
        for imported in _imports(path, package):
            waiting += _found(imported)
    return files


def _imports(path: Path, package: str) -> Iterator[str]:
    """Names of modules, and of what might be one, that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package or None) if node.level else node.module
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _found(name: str) -> Iterator[tuple[Path, str]]:
    """The files of a module and of the packages around it, and the package that each belongs to."""
    parts = name.split(".")
    places: list[str] | None = sys.path
    for count in range(1, len(parts) + 1):
        full = ".".join(parts[:count])
        spec: ModuleSpec | None = PathFinder.find_spec(full, places) if places is not None else None
        if spec is None:
            return
        places = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
        if spec.origin and spec.origin.endswith(".py"):
            path = Path(spec.origin).resolve()
            if _is_installed(path):
                return
            yield path, full if places is not None else full.rpartition(".")[0]


def _is_installed(path: Path) -> bool:
    return not _INSTALLED.isdisjoint(path.parents) or _OURS in path.parents or "site-packages" in path.parts
