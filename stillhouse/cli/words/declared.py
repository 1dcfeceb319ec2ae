"""Classes and constants as the text of this package declares them: importing its modules would import PyTorch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True)
class Declared:
    """A name at the top of a module: a class, or a constant.

    Args:
        module: The statements of its module.
        statement: The one that declares it.
    """

    module: ast.Module
    statement: ast.stmt

    @classmethod
    def of(cls, module: ast.Module, name: str) -> Declared:
        """Return the name's declaration in a module.

        Raises:
            LookupError: If there is none.
        """
        for statement in module.body:
            if name in _names(statement):
                return cls(module, statement)
        raise LookupError(f"there is no {name}")

    def summary(self) -> str:
        """Return the first paragraph of a class's docstring in one line."""
        assert isinstance(self.statement, ast.ClassDef)
        return " ".join((ast.get_docstring(self.statement) or "").partition("\n\n")[0].split())

    def default(self, argument: str) -> object:
        """Return the default value of an argument of a class's own constructor; None if it has none."""
        assert isinstance(self.statement, ast.ClassDef)
        for function in self.statement.body:
            if isinstance(function, ast.FunctionDef) and function.name == "__init__":
                given, defaults = function.args.args, function.args.defaults
                known = zip(given[len(given) - len(defaults) :], defaults, strict=True)
                return next((self._value(node) for one, node in known if one.arg == argument), None)
        return None

    def arguments(self, *names: str) -> Mapping[str, object]:
        """Return these keyword arguments of the call that makes a constant, in this order."""
        assert isinstance(self.statement, ast.Assign)
        assert isinstance(self.statement.value, ast.Call)
        given = {one.arg: one.value for one in self.statement.value.keywords}
        return {name: self._value(given[name]) for name in names}

    def value(self) -> object:
        """Return a constant's value."""
        assert isinstance(self.statement, ast.Assign | ast.AnnAssign)
        assert self.statement.value is not None
        return self._value(self.statement.value)

    def _value(self, node: ast.expr) -> object:
        return Declared.of(self.module, node.id).value() if isinstance(node, ast.Name) else ast.literal_eval(node)


def module_of(package: str) -> ast.Module:
    """Return the statements of a package, by its path in this one: data/named."""
    return _read(PACKAGE / package / "__init__.py")


def imported(package: str) -> Iterator[tuple[str, Declared]]:
    """Yield all names that a package imports from its own modules, with their declarations."""
    for statement in module_of(package).body:
        if isinstance(statement, ast.ImportFrom) and statement.level == 1 and statement.module:
            module = _read(PACKAGE / package / f"{statement.module}.py")
            yield from ((one.name, Declared.of(module, one.name)) for one in statement.names)


def _read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef | ast.FunctionDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    targets += [statement.target] if isinstance(statement, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
