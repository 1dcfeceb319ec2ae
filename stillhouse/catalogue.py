"""From what a user types to methods: `CE, KD(temperature=2), my_kd.py:MyKD(weight=3), ScaleDecoupled(KD)`."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from . import methods, wrappers
from .method import Method
from .networks import load_object
from .spelling import nearest

Value = object  # what an expression stands for: a `Spelled`, a plain Python value, or a list of either


@dataclass(frozen=True)
class Spelled:
    """A method as a user spelt it, checked, and ready to be built as often as it is needed."""

    name: str  # KD, or my_kd.py:MyKD
    cls: type[Method]
    arguments: dict[str, Value]  # complete: the defaults are filled in

    def build(self) -> Method:
        """A new method."""
        build: Callable[..., Method] = self.cls
        return build(**{name: _built(value) for name, value in self.arguments.items()})

    def __str__(self) -> str:
        """The complete spelling, which parses to the same method."""
        return f"{self.name}({', '.join(f'{name}={_text(value)}' for name, value in self.arguments.items())})"


def catalogue() -> dict[str, type[Method]]:
    """Every method and wrapper that has a name of its own, in alphabetical order."""
    found = {
        name: value
        for module in (methods, wrappers)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Method) and not inspect.isabstract(value)
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def parse(text: str) -> list[Spelled]:
    """A list of methods in the form of Python calls; brackets may be left out where there are no arguments.

    Raises:
        ValueError: If a name, an argument or a value is not known; the sentence names the nearest ones.
    """
    foreign: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:  # a path and a colon are no Python expression
        foreign[f"_foreign{len(foreign)}"] = match.group(0)
        return list(foreign)[-1]

    source = re.sub(r"[\w./~-]+:[A-Za-z_]\w*", hide, text.strip())
    try:
        tree = ast.parse(f"[{source}]", mode="eval").body
    except SyntaxError as error:
        raise ValueError(
            f"--methods {text!r} cannot be read ({error.msg}); write CE,KD or 'CE, KD(temperature=2)'"
        ) from None
    assert isinstance(tree, ast.List)
    spelled = [_value(node, foreign) for node in tree.elts]
    for item in spelled:
        if not isinstance(item, Spelled):
            raise ValueError(f"{item!r} in --methods is no method; the catalogue has {', '.join(catalogue())}")
    if not spelled:
        raise ValueError("--methods is empty; write CE,KD for example")
    return [item for item in spelled if isinstance(item, Spelled)]


def _value(node: ast.expr, foreign: dict[str, str]) -> Value:
    if isinstance(node, ast.Name):
        return _spelled(node.id, [], {}, foreign)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        positional = [_value(argument, foreign) for argument in node.args]
        named = {str(keyword.arg): _value(keyword.value, foreign) for keyword in node.keywords}
        return _spelled(node.func.id, positional, named, foreign)
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(element, foreign) for element in node.elts]
    try:
        plain: Value = ast.literal_eval(node)
    except ValueError:
        raise ValueError(f"{ast.unparse(node)!r} in --methods is neither a method nor a plain value") from None
    return plain


def _spelled(name: str, positional: list[Value], named: dict[str, Value], foreign: dict[str, str]) -> Spelled:
    name, cls = _class(foreign.get(name, name))
    parameters = {k: p for k, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
    if len(positional) > len(parameters):
        raise ValueError(f"{name} takes {len(parameters)} arguments ({', '.join(parameters)}), not {len(positional)}")
    given = dict(zip(parameters, positional, strict=False)) | named
    for argument in named:
        if argument not in parameters:
            hint = nearest(argument, list(parameters))
            raise ValueError(f"{name} has no argument {argument!r}.{hint} It takes {', '.join(parameters)}")
    for argument, parameter in parameters.items():
        if argument in given:
            continue
        if parameter.default is parameter.empty:
            raise ValueError(f"{name} needs {argument}, e.g. {name}({'[KD, AT]' if argument == 'terms' else 'KD'})")
        given[argument] = parameter.default
    arguments = {argument: given[argument] for argument in parameters}
    _check_types(name, cls, arguments)
    return Spelled(name, cls, arguments)


def _class(name: str) -> tuple[str, type[Method]]:
    known = catalogue()
    if ":" in name:
        module, _, attribute = name.rpartition(":")
        found = load_object(module, attribute)
        if not (isinstance(found, type) and issubclass(found, Method)) or inspect.isabstract(found):
            raise ValueError(
                f"{name} is not a method: a class derived from stillhouse.Method with nothing left abstract"
            )
        return name, found
    by_lower = {key.lower(): key for key in known}
    exact = name if name in known else by_lower.get(name.lower())
    if exact is None:
        raise ValueError(f"there is no method {name!r}.{nearest(name, list(known))} There are {', '.join(known)}")
    return exact, known[exact]


def _check_types(name: str, cls: type[Method], arguments: dict[str, Value]) -> None:
    """Methods inside methods against the parameter's class, everything else by jsonargparse."""
    hints = typing.get_type_hints(cls.__init__)
    inner = {argument for argument, value in arguments.items() if _methods_in(value)}
    for argument in inner:
        wanted = [t for t in (hints[argument], *typing.get_args(hints[argument])) if inspect.isclass(t)]
        wanted = [t for t in wanted if issubclass(t, Method)]
        for item in _methods_in(arguments[argument]):
            if not any(issubclass(item.cls, t) for t in wanted):
                kinds = " or ".join(t.__name__ for t in wanted) or "plain value"
                raise ValueError(f"{name} takes a {kinds} as {argument}, and {item.name} is none")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(cls, "method", skip=inner)
    try:
        parser.parse_object({"method": {k: v for k, v in arguments.items() if k not in inner}})
    except ArgumentError as error:
        reason = re.sub(r"\s+", " ", str(error)).replace('"method.', '"')
        raise ValueError(f"{name}: {reason}") from None


def _methods_in(value: Value) -> list[Spelled]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, Spelled)]


def _built(value: Value) -> object:
    if isinstance(value, Spelled):
        return value.build()
    return [_built(item) for item in value] if isinstance(value, list) else value


def _text(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_text(item) for item in value)}]"
    return str(value) if isinstance(value, Spelled) else repr(value)


def sources(spelled: Sequence[Spelled]) -> list[Path]:
    """The files of methods that are not ours: what they hold is a part of what a run depends on."""
    files = []
    for item in spelled:
        module, _, _ = item.name.rpartition(":")
        files += [Path(module)] if module.endswith(".py") else []
        for value in item.arguments.values():
            files += sources(_methods_in(value))
    return files
