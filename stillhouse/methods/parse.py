"""From what a user types to methods: `CE, KD(temperature=2), my_kd.py:MyKD(weight=3), ScaleDecoupled(KD)`."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from .. import methods
from ..method import Method
from ..ranges import check, declared
from ..spelling import misfit, nearest
from ..user_code import load_object, source_files
from . import wrappers

Value = object  # what an expression stands for: a `MethodSpec`, a plain Python value, or a list of either
_FOREIGN = re.compile(r"""'[^']*'|"[^"]*"|([\w./~-]+:[A-Za-z_]\w*)""")  # file.py:MyKD, outside of quotes


@dataclass(frozen=True)
class MethodSpec:
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


def parse(text: str) -> list[MethodSpec]:
    """A list of methods in the form of Python calls; brackets may be left out where there are no arguments.

    Raises:
        ValueError: If a name, an argument or a value is not known; the sentence names the nearest ones.
    """
    foreign: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:  # a path and a colon are no Python expression
        if match[1] is None:
            return match[0]
        foreign[f"_foreign{len(foreign)}"] = match[1]
        return list(foreign)[-1]

    source = _FOREIGN.sub(hide, text.strip().rstrip(","))
    try:
        tree = ast.parse(f"[{source}]", mode="eval").body
    except SyntaxError as error:
        raise ValueError(
            f"--methods {text!r} cannot be read ({error.msg}); write CE,KD or 'CE, KD(temperature=2)'"
        ) from None
    assert isinstance(tree, ast.List)
    method_specs = [_value(node, foreign) for node in tree.elts]
    for item in method_specs:
        if not isinstance(item, MethodSpec):
            raise ValueError(f"{_text(item)} in --methods is no method; the catalogue has {', '.join(catalogue())}")
    if not method_specs:
        raise ValueError("--methods is empty; write CE,KD for example")
    return [item for item in method_specs if isinstance(item, MethodSpec)]


def _value(node: ast.expr, foreign: dict[str, str]) -> Value:
    if isinstance(node, ast.Name):
        return _spelled(foreign.get(node.id, node.id), [], {})
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        name = foreign.get(node.func.id, node.func.id)
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg in named:
                given = "**" if keyword.arg is None else f"{keyword.arg} twice"
                raise ValueError(f"{name}(...) in --methods is given {given}; write each argument once, by its name")
            named[keyword.arg] = _argument(keyword.value, foreign)
        return _spelled(name, [_argument(argument, foreign) for argument in node.args], named)
    if isinstance(node, ast.List | ast.Tuple):
        return [_argument(element, foreign) for element in node.elts]
    try:
        plain: Value = ast.literal_eval(node)
    except ValueError:
        text = ast.unparse(node)
        hint = f"; name the class in it, {text}:MyMethod" if text.endswith(".py") else ""
        raise ValueError(f"{text!r} in --methods is neither a method nor a plain value{hint}") from None
    return plain


def _argument(node: ast.expr, foreign: dict[str, str]) -> Value:
    known = [*foreign, *(name.lower() for name in catalogue())]
    if isinstance(node, ast.Name) and node.id not in known and node.id.lower() not in known:
        hint = nearest(node.id, catalogue())
        raise ValueError(f"{node.id!r} in --methods is no method.{hint} If it is text, it needs quotes: '{node.id}'")
    return _value(node, foreign)


def _spelled(name: str, positional: list[Value], named: dict[str, Value]) -> MethodSpec:
    name, cls = _class(name)
    parameters = {k: p for k, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}
    if len(positional) > len(parameters):
        raise ValueError(f"{name} takes {len(parameters)} arguments ({', '.join(parameters)}), not {len(positional)}")
    given = dict(zip(parameters, positional, strict=False))
    for argument in named:
        if argument not in parameters:
            hint = nearest(argument, parameters)
            raise ValueError(f"{name} has no argument {argument!r}.{hint} It takes {', '.join(parameters)}")
        if argument in given:
            raise ValueError(f"{name} is given {argument} twice, by its position and by its name")
    given |= named
    hints = typing.get_type_hints(cls.__init__)
    for argument, parameter in parameters.items():
        if argument not in given and parameter.default is parameter.empty:
            example = _example(hints.get(argument, object))
            raise ValueError(f"{name} needs {argument}, for example {name}({argument}={example})")
        given.setdefault(argument, parameter.default)
        _check_kind(name, argument, given[argument], hints.get(argument, object))
    plain = _typed(name, cls, {k: v for k, v in given.items() if not _methods_in(v)}, hints)
    spec = MethodSpec(name, cls, {argument: plain.get(argument, given[argument]) for argument in parameters})
    try:
        spec.build()
    except ValueError as error:
        before = "" if str(error).startswith(cls.__name__) else f"{name}: "
        raise ValueError(f"{before}{error}") from None
    return spec


def _class(name: str) -> tuple[str, type[Method]]:
    known = catalogue()
    if ":" in name:
        module, _, attribute = name.rpartition(":")
        found = load_object(module, attribute)
        if not (isinstance(found, type) and issubclass(found, Method)) or inspect.isabstract(found):
            left = sorted(getattr(found, "__abstractmethods__", ()))
            why = f": it leaves {', '.join(left)} to be written" if left else ", a class derived from stillhouse.Method"
            raise ValueError(f"{name} is not a method{why}")
        return name, found
    by_lower = {key.lower(): key for key in known}
    exact = name if name in known else by_lower.get(name.lower())
    if exact is None:
        raise ValueError(f"there is no method {name!r}.{nearest(name, known)} There are {', '.join(known)}")
    return exact, known[exact]


def _check_kind(name: str, argument: str, value: Value, hint: object) -> None:
    """Methods belong where the signature wants methods, and plain values elsewhere."""
    wanted, many = _wanted(hint)
    if not wanted and _methods_in(value):
        raise ValueError(f"{name} takes a plain value as {argument}, not the method {_methods_in(value)[0].name}")
    if not wanted or (value is None and _takes_none(hint)):
        return
    items = value if many and isinstance(value, list) else [value]
    fit = [isinstance(item, MethodSpec) and issubclass(item.cls, wanted) for item in items]
    if not fit or not all(fit) or isinstance(value, list) is not many:
        kind = " or ".join(cls.__name__ for cls in wanted)
        kinds = f"a list, each item a {kind}," if many else f"a {kind}"
        raise ValueError(f"{name} takes {kinds} as {argument}, such as {_example(hint)}, and {_text(value)} is none")


def _wanted(hint: object) -> tuple[tuple[type[Method], ...], bool]:
    """The methods that a parameter takes, and whether it takes many."""
    many = [inner for inner in (hint, *typing.get_args(hint)) if typing.get_origin(inner) in (list, Sequence)]
    inner = typing.get_args(many[0]) if many else (hint, *typing.get_args(hint))
    return tuple(cls for cls in inner if inspect.isclass(cls) and issubclass(cls, Method)), bool(many)


def _example(hint: object) -> str:
    wanted, many = _wanted(hint)
    fitting = [name for name in ("KD", "AT") if wanted and issubclass(catalogue()[name], wanted)]
    return f"[{', '.join(fitting)}]" if many and wanted else "".join(fitting[:1]) or "1"


def _takes_none(hint: object) -> bool:
    return hint is object or type(None) in typing.get_args(hint)


def _typed(name: str, cls: type[Method], plain: dict[str, Value], hints: Mapping[str, object]) -> dict[str, Value]:
    """Plain values as the constructor's annotations want them: 4 and 4.0 are the same temperature."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(
        cls, "method", skip=set(inspect.signature(cls).parameters) - set(plain), fail_untyped=False
    )
    try:
        typed = dict(vars(parser.parse_object({"method": plain})).get("method") or {})
    except ArgumentError as error:
        argument, reason = misfit(str(error)) or ("", str(error))
        raise ValueError(f"{name}: {argument.removeprefix('method.')} {reason}") from None
    for argument, value in typed.items():
        if value is None and not _takes_none(hints.get(argument, object)):
            raise ValueError(f"{name}: {argument} needs a value, not None")
    check(typed, declared(cls.__init__), f"{name}: ")
    return typed


def _methods_in(value: Value) -> list[MethodSpec]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, MethodSpec)]


def _built(value: Value) -> object:
    if isinstance(value, MethodSpec):
        return value.build()
    return [_built(item) for item in value] if isinstance(value, list) else value


def _text(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_text(item) for item in value)}]"
    return str(value) if isinstance(value, MethodSpec) else repr(value)


def sources(method_specs: Sequence[MethodSpec]) -> list[Path]:
    """The files of methods that are not ours: what they hold is a part of what a run depends on."""
    files = []
    for item in method_specs:
        module, _, _ = item.name.rpartition(":")
        files += source_files(module) if module else []
        for value in item.arguments.values():
            files += sources(_methods_in(value))
    return files
