"""A method as a command names it: its class, its constructor and its arguments, each checked."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from .. import methods
from ..method import Method
from ..ranges import check, declared
from ..spelling import misfit, nearest
from ..user_code import load_object, source_files
from . import former_names, wrappers

Value = object  # the value of an expression: a `MethodSpec`, a plain Python value, or a list of either


@dataclass(frozen=True)
class MethodSpec:
    """A method as a user spelt it, checked, and ready to be built any number of times."""

    name: str  # KD, or my_kd.py:MyKD
    cls: type[Method]
    arguments: dict[str, Value]  # complete: the defaults are filled in
    constructor: str = ""  # name of a class method that builds it, such as `reference`

    def build(self) -> Method:
        """Build a new method."""
        build: Callable[..., Method] = getattr(self.cls, self.constructor) if self.constructor else self.cls
        return build(**{name: _built(value) for name, value in self.arguments.items()})

    def __str__(self) -> str:
        """Return the complete spelling, which parses to the same method."""
        name = f"{self.name}.{self.constructor}" if self.constructor else self.name
        return f"{name}({', '.join(f'{name}={as_text(value)}' for name, value in self.arguments.items())})"


def catalogue() -> dict[str, type[Method]]:
    """Return every method and wrapper that has a name of its own, in alphabetical order."""
    found = {
        name: value
        for module in (methods, wrappers)
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Method) and not inspect.isabstract(value)
    }
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def spell(name: str, constructor: str, positional: list[Value], named: dict[str, Value]) -> MethodSpec:
    """Return the method of that name with these arguments.

    Args:
        constructor: Name of a class method that builds it; "" for the class itself.

    Raises:
        ValueError: If there is no such method, argument or value; the message names the nearest ones.
    """
    name, cls = _class(name)
    build, function = _constructor(name, cls, constructor)
    parameters = {k: p for k, p in inspect.signature(build).parameters.items() if p.kind is not p.VAR_KEYWORD}
    if len(positional) > len(parameters):
        raise ValueError(f"{name} takes {len(parameters)} arguments ({', '.join(parameters)}), not {len(positional)}")
    given = dict(zip(parameters, positional, strict=False))
    for argument in named:
        if argument not in parameters:
            hint = _argument_hint(argument, parameters)
            raise ValueError(f"{name} has no argument {argument!r}.{hint} It takes {', '.join(parameters)}")
        if argument in given:
            raise ValueError(f"{name} is given {argument} twice, by its position and by its name")
    given |= named
    hints = typing.get_type_hints(function)
    for argument, parameter in parameters.items():
        if argument not in given and parameter.default is parameter.empty:
            example = _example(hints.get(argument, object))
            raise ValueError(f"{name} needs {argument}, for example {name}({argument}={example})")
        given.setdefault(argument, parameter.default)
        _check_kind(name, argument, given[argument], hints.get(argument, object))
    plain = {argument: value for argument, value in given.items() if not methods_in(value)}
    typed = _typed(name, cls, constructor, plain, [argument for argument in parameters if argument not in plain])
    for argument, value in typed.items():
        if value is None and not _takes_none(hints.get(argument, object)):
            raise ValueError(f"{name}: {argument} needs a value, not None")
    check(typed, declared(function), f"{name}: ")
    spec = MethodSpec(
        name, cls, {argument: typed.get(argument, given[argument]) for argument in parameters}, constructor
    )
    try:
        spec.build()
    except ValueError as error:
        before = "" if str(error).startswith(cls.__name__) else f"{name}: "
        raise ValueError(f"{before}{error}") from None
    return spec


def _constructor(name: str, cls: type[Method], constructor: str) -> tuple[Callable[..., object], Callable[..., object]]:
    """Return the callable that builds a method, and the function whose annotations describe its arguments."""
    if not constructor:
        return cls, cls.__init__
    named = [n for c in cls.__mro__ for n, v in vars(c).items() if isinstance(v, classmethod) and n[0] != "_"]
    if constructor not in named:
        those = f" It has {', '.join(dict.fromkeys(named))}" if named else f" Write {name}(...)"
        raise ValueError(f"{name} has no constructor {constructor!r}.{nearest(constructor, named)}{those}")
    (function, *_) = (vars(c)[constructor].__func__ for c in cls.__mro__ if constructor in vars(c))
    return getattr(cls, constructor), function


def method_hint(name: str) -> str:
    """Return a sentence with a method's name here, or an empty text."""
    former = former_names.METHODS.get(name.lower().replace("-", "_"))
    return f" Here that is {former}." if former else nearest(name, catalogue())


def _argument_hint(name: str, known: Iterable[str]) -> str:
    """Return a sentence with an argument's name here, or an empty text."""
    former = [one for one in former_names.ARGUMENTS.get(name.lower().replace("-", "_"), ()) if one in known]
    return f" Here that is {former[0]}." if former else nearest(name, known)


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
        raise ValueError(f"there is no method {name!r}.{method_hint(name)} All: {', '.join(known)}")
    return exact, known[exact]


def _check_kind(name: str, argument: str, value: Value, hint: object) -> None:
    """Refuse plain values where the signature wants methods, and methods where it wants plain values."""
    wanted, many = _wanted(hint)
    if not wanted and methods_in(value):
        raise ValueError(f"{name} takes a plain value as {argument}, not the method {methods_in(value)[0].name}")
    if not wanted or (value is None and _takes_none(hint)):
        return
    items = value if many and isinstance(value, list) else [value]
    fit = [isinstance(item, MethodSpec) and issubclass(item.cls, wanted) for item in items]
    if not fit or not all(fit) or isinstance(value, list) is not many:
        kind = " or ".join(cls.__name__ for cls in wanted)
        kinds = f"a list, each item a {kind}," if many else f"a {kind}"
        raise ValueError(f"{name} takes {kinds} as {argument}, such as {_example(hint)}, not {as_text(value)}")


def _wanted(hint: object) -> tuple[tuple[type[Method], ...], bool]:
    """Return the kinds of methods that a parameter takes, and True if it takes many."""
    many = [inner for inner in (hint, *typing.get_args(hint)) if typing.get_origin(inner) in (list, Sequence)]
    inner = typing.get_args(many[0]) if many else (hint, *typing.get_args(hint))
    return tuple(cls for cls in inner if inspect.isclass(cls) and issubclass(cls, Method)), bool(many)


def _example(hint: object) -> str:
    wanted, many = _wanted(hint)
    fitting = [name for name in ("KD", "AT") if wanted and issubclass(catalogue()[name], wanted)]
    return f"[{', '.join(fitting)}]" if many and wanted else "".join(fitting[:1]) or "1"


def _takes_none(hint: object) -> bool:
    return hint is object or type(None) in typing.get_args(hint)


def _typed(
    name: str, cls: type[Method], constructor: str, plain: dict[str, Value], skip: Sequence[str]
) -> dict[str, Value]:
    """Convert plain values to the types in the constructor's annotations: 4 and 4.0 are the same temperature."""
    parser = _parser(cls, constructor, frozenset(skip))
    try:
        return dict(vars(parser.parse_object({"method": plain})).get("method") or {})
    except ArgumentError as error:
        argument, reason = misfit(str(error)) or ("", str(error))
        raise ValueError(f"{name}: {argument.removeprefix('method.')} {reason}") from None


@cache  # a bench spells the same methods for every pair and seed, and reading their annotations takes long
def _parser(cls: type[Method], constructor: str, skip: frozenset[str]) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False)
    if constructor:
        parser.add_method_arguments(cls, constructor, "method", skip={*skip}, fail_untyped=False)
    else:
        parser.add_class_arguments(cls, "method", skip={*skip}, fail_untyped=False)
    return parser


def methods_in(value: Value) -> list[MethodSpec]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, MethodSpec)]


def _built(value: Value) -> object:
    if isinstance(value, MethodSpec):
        return value.build()
    return [_built(item) for item in value] if isinstance(value, list) else value


def as_text(value: Value) -> str:
    if isinstance(value, list):
        return f"[{', '.join(as_text(item) for item in value)}]"
    return str(value) if isinstance(value, MethodSpec) else repr(value)


def sources(method_specs: Sequence[MethodSpec]) -> list[Path]:
    """Return the files of methods from outside the package: a run depends on their content."""
    files = []
    for item in method_specs:
        module, _, _ = item.name.rpartition(":")
        files += source_files(module) if module else []
        for value in item.arguments.values():
            files += sources(methods_in(value))
    return files
