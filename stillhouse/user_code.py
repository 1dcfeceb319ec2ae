"""A user's own code: `package.module:name` or `file.py:name`, and the files that it depends on.

Naming code runs it. Code that a run's files name is checked first, see `named_by_run`.
"""

import ast
import hashlib
import importlib
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType

from .spelling import nearest, nearest_path

_INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_OURS = Path(__file__).resolve().parent
_RUNS: ContextVar[tuple[tuple[Path, str], ...]] = ContextVar("runs", default=())  # and what the user typed


class Untrusted(ValueError):  # noqa: N818 (it is a refusal)
    """The files of a run name code that must not be run."""


@contextmanager
def named_by_run(folder: Path, typed: Collection[str | None] = ()) -> Iterator[None]:
    """Refuse, within the block, to run code that may have come together with a run, whose files name it.

    Code is run only if the innermost folder that holds both it and the run is the current one or a parent of that:
    there the user's own files are. It is not run in the run's folder or beside it, nor in any other folder that holds
    both, as an unpacked archive does. Installed code is refused as well, since it could be anything.

    Args:
        folder: Of the run.
        typed: Words that the user has typed; code that they name is run wherever it is.
    """
    token = _RUNS.set((*_RUNS.get(), (folder.resolve(), "\n".join(filter(None, typed)))))
    try:
        yield
    finally:
        _RUNS.reset(token)


def refuse_code_of_run(name: str, folder: Path) -> None:
    """Refuse `package.module` or `file.py` that the files of a run name and that came with them; run nothing.

    Raises:
        Untrusted: As inside `named_by_run`.
    """
    with named_by_run(folder):
        _admit(name)


def _admit(name: str) -> None:
    """Let modules be found in the folder of `file.py` and in the current one, unless it came together with a run."""
    places = (Path(name).expanduser().parent, Path()) if name.endswith(".py") else (Path(),)
    added = [place for place in dict.fromkeys(str(place.resolve()) for place in places) if place not in sys.path]
    sys.path += added
    try:
        for folder, typed in _RUNS.get():
            if not re.search(rf"(^|[^\w./~-]){re.escape(name)}:", typed, re.MULTILINE):
                _check_origin(name, folder)
    except Untrusted:
        sys.path[:] = [place for place in sys.path if place not in added]
        raise


def _check_origin(name: str, folder: Path) -> None:
    here = Path.cwd().resolve()
    if name.endswith(".py") and not Path(name).expanduser().exists():
        raise ValueError(f"there is no file {name}, which the files of {folder} name")
    try:
        files = files_behind(name)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
        files = []
    if not files:
        raise Untrusted(f"the files of {folder} name {name}, which is not a file of your own; it is not run")
    for file in files:
        together = Path(os.path.commonpath([file, folder]))
        if folder.parent in file.parents or together not in (here, *here.parents):
            raise Untrusted(f"the files of {folder} name {name}, and {file} came with them; it is not run")


def load_object(module: str, attribute: str) -> object:
    """Load the object that `package.module:attribute` or `file.py:attribute` names.

    Raises:
        ValueError: If the module cannot be imported or has no such attribute.
    """
    loaded = _module(module)
    if not hasattr(loaded, attribute):
        public = [name for name in vars(loaded) if not name.startswith("_")]
        raise ValueError(f"{module} has no {attribute!r}.{nearest(attribute, public)}")
    found: object = getattr(loaded, attribute)
    return found


def check_file(module: str) -> None:
    """Refuse a user's file that there is not.

    Raises:
        ValueError: If a module is a file, and absent.
    """
    if module.endswith(".py") and not (path := Path(module).expanduser()).is_file():
        raise ValueError(f"there is no file {path}{nearest_path(module)}")


def _module(name: str) -> ModuleType:
    """Import a user's module or file, which may import others from its own folder and the current one."""
    if not name:
        raise ValueError("before the colon there must be timm, torchvision, a package.module or a file.py")
    own, path = name.endswith(".py"), Path(name).expanduser()
    check_file(name)
    _admit(name)
    try:
        return _executed(path.resolve(), path.read_bytes()) if own else importlib.import_module(name)
    except ValueError:
        raise
    except Exception as error:  # a user's code can fail in any way
        forms = (
            "zoo names have no colon; others are timm:NAME, torchvision:NAME, package.module:callable, file.py:callable"
        )
        hint = f"; {forms}" if isinstance(error, ModuleNotFoundError) and not own else ""
        raise ValueError(f"{name} cannot be imported: {one_line(error)}{hint}") from error


@cache  # run again only if it has changed
def _executed(path: Path, content: bytes) -> ModuleType:
    loaded = ModuleType(f"stillhouse_user_{path.stem}")
    loaded.__file__ = str(path)
    sys.modules[loaded.__name__] = loaded  # where dataclasses look up their annotations
    exec(compile(content, path, "exec"), vars(loaded))
    return loaded


def one_line(error: BaseException) -> str:
    """Return an error in the user's code as one line."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f"{frame.filename}, line {frame.lineno}" for frame in frames if not _is_loading(frame.filename)]
    place = f" ({theirs[-1]})" if theirs and not isinstance(error, SyntaxError | ModuleNotFoundError) else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{place}"


def _is_loading(filename: str) -> bool:
    return filename.startswith("<frozen") or _OURS in Path(filename).parents


def source_files(module: str) -> list[Path]:
    """Import `package.module` or `file.py`, and return the files behind it, as `files_behind` does."""
    _module(module)  # may refuse it, and puts its folder on sys.path
    return files_behind(module)


def files_behind(name: str) -> list[Path]:
    """Return the file of `package.module` or `file.py`, then all files that it imports, except installed ones.

    Indirect imports count. The files are read, not run, and looked for where Python looks for modules (`sys.path`).
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
    """Yield the names of modules, and of possible modules, that a file imports."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (package or not node.level):
            base = resolve_name("." * node.level + (node.module or ""), package or None) if node.level else node.module
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _found(name: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of a module and of the packages around it, and the package that each belongs to."""
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


def hash_of_file(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
