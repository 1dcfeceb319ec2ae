"""Parse a command line into a command's options, and report anything wrong with it in one sentence."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from ..anatomy import Anatomy
from ..training.run_files import read_config
from ..user_code import Untrusted, named_by_run
from .words.complaints import misread
from .words.help import formatter
from .words.lists import joined, listed

# A class_path in a run's config.yaml would run what it names; the values of --anatomy.stages and the like go this way.
_ANATOMY = [f"{Anatomy.__module__}.Anatomy", "stillhouse.Anatomy"]
set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=_ANATOMY)

T = TypeVar("T")
_OF_RUNS = ("result.json", "metrics.jsonl", "student.safetensors", "model.safetensors", "state.pt")  # with config.yaml
_FORMER = {  # options in the config.yaml of older versions that the command never read
    "train": ("teacher_precision", "teacher_cache", "memory_budget", "cache_budget"),
}


def option_groups(command: type[Any]) -> tuple[type[Any], ...]:
    """Return the groups of options of a command, or of a group of groups."""
    return _groups(command)  # type: ignore[arg-type] # a class can be hashed


@cache  # a bench asks for those of each student, and reading annotations takes long
def _groups(command: type[Any]) -> tuple[type[Any], ...]:
    parts = [part for part in _hints(command).values() if dataclasses.is_dataclass(part)]
    parts = [part for part in parts if part is not Anatomy]  # a value, not a group
    return (
        tuple(group for part in parts if isinstance(part, type) for group in option_groups(part))
        if parts
        else (command,)
    )


def _hints(command: type[Any]) -> Mapping[str, Any]:
    return _known_hints(command)  # type: ignore[arg-type] # a class can be hashed


_known_hints = cache(typing.get_type_hints)


def build(command: type[T], values: Mapping[str, Any]) -> T:
    """Build a command from the values of its options by name; an option that is None keeps its default."""
    parts = _hints(command)
    groups = list(option_groups(command))
    if groups != [command]:
        built = {name: build(part, values) for name, part in parts.items() if name != "given"}
        return command(**built, **({"given": values["given"]} if "given" in parts else {}))
    return command(**{name: values[name] for name in parts if values.get(name) is not None})


def group_of(command: object, group: type[T]) -> T:
    """Return the options of one group of a command."""
    if isinstance(command, group):
        return command
    for name, part in _hints(type(command)).items():
        if group in option_groups(part):
            return group_of(getattr(command, name), group)
    raise TypeError(f"{type(command).__name__} has no {group.__name__}")


def named_values(command: object) -> dict[str, object]:
    """Return the values of all options of a command by name, as in its config.yaml."""
    if list(option_groups(type(command))) == [type(command)]:
        return {name: getattr(command, name) for name in _hints(type(command))}
    found: dict[str, object] = {}
    for name in _hints(type(command)):
        found |= named_values(getattr(command, name))
    return found


def parse(
    name: str,
    command: type[T],
    arguments: Sequence[str],
    positional: Mapping[str, str] | None = None,
    instead: Mapping[str, object] | None = None,
) -> T:
    """Return the options of a command as typed.

    Args:
        name: Name of the command.
        command: Dataclass of the option groups that it reads; a field `given` gets the names of the options that are
            not at their defaults because the user left them out.
        arguments: The words after the name.
        positional: Options that are typed without their name, with their help texts.
        instead: Values that replace what was typed.

    Raises:
        ValueError: If they cannot be read; the message says why and what to type instead.
    """
    return build(command, {**read(name, command, arguments, positional), **(instead or {})})


def read(
    name: str, command: type[Any], arguments: Sequence[str], positional: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the values of a command's options by name; arguments and errors as for `parse`."""
    positional = positional or {}
    parser, known = _parser(name, command, tuple(positional.items()))  # type: ignore[arg-type] # a class can be hashed
    if "output" in known:
        arguments = ["--output" if word == "-o" else word for word in arguments]
    _refuse_empty(name, arguments)
    arguments = joined(arguments)
    try:
        words = [*_without_former(name, arguments)]
        values = _values(parser, words)
        implied = getattr(command, "implied", None)
        typed = {word.removeprefix("--").partition("=")[0] for word in words if word.startswith("--")}
        if implied and (more := implied(values, typed)):
            values = _values(parser, ["--config", json.dumps(more, default=str), *words])
        if "given" in _hints(command):
            values["given"] = frozenset(vars(parser.parse_args(listed(words), defaults=False)))
    except ArgumentError as error:
        raise ValueError(misread(name, re.sub(r"\s+", " ", str(error)), known, positional)) from None
    except UnicodeDecodeError:
        raise ValueError("--config takes a YAML file such as a run's config.yaml, which this is not") from None
    return values


@cache  # a bench reads a command for each student
def _parser(name: str, command: type[Any], positional: tuple[tuple[str, str], ...]) -> tuple[ArgumentParser, list[str]]:
    """Return the parser of a command, and the names of its options."""
    parser = ArgumentParser(
        prog=f"stillhouse {name}",
        description=" ".join((command.__doc__ or "").split()),
        exit_on_error=False,
        allow_abbrev=False,
        print_config=None,
        formatter_class=formatter(getattr(command, "defaults_in_words", dict)()),
    )
    return parser, _add_options(parser, command, dict(positional))


def _refuse_empty(name: str, arguments: Sequence[str]) -> None:
    for before, word in zip(["", *arguments], arguments, strict=False):
        if word == "" or re.fullmatch(r"--\w+=", word):  # such as an unset shell variable
            raise ValueError(f"{word.rstrip('=') or before or name} has an empty value; leave it out or fill it in")


@contextmanager
def named_by_configs(arguments: Sequence[str]) -> Iterator[None]:
    """Refuse, inside, code that came with a run whose config.yaml is given as --config, unless it is typed as well."""
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    configs = [path for option, path in itertools.pairwise(words) if option == "--config" and os.path.isfile(path)]
    typed = [word for option, word in itertools.pairwise(["", *words]) if option != "--config"]
    with ExitStack() as inside:
        for folder in (Path(config).resolve().parent for config in configs):
            if any((folder / name).exists() for name in _OF_RUNS):
                inside.enter_context(named_by_run(folder, typed))
        try:
            yield
        except Untrusted as error:
            raise ValueError(f"{error}; if you trust it, type the option that names it") from None


def _add_options(parser: ArgumentParser, command: type[Any], positional: Mapping[str, str]) -> list[str]:
    """Add every option of a command, and return their names."""
    groups = list(option_groups(command))
    known: list[str] = []
    if len(groups) > 2:  # the few options of `inspect` are in no config file
        parser.add_argument("--config", action="config", help="a run's config.yaml, or part of one; later options win")
        known.append("config")
    for name, text in positional.items():
        several = any(typing.get_origin(_hints(group).get(name)) is list for group in groups)
        parser.add_argument(name, help=text, nargs="+" if several else None)
    sections: dict[str, Any] = {}  # groups with one heading share a section
    for group in groups:
        heading = " ".join((group.__doc__ or "").partition("\n\n")[0].split()).rstrip(".")
        if heading not in sections:
            sections[heading] = parser.add_argument_group(heading)
        skip = {*positional, *known}
        known += sections[heading].add_class_arguments(group, None, as_group=False, skip=skip)
    return known


def _without_former(command: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the words, with an old run's config.yaml replaced by one without options that the command no longer has."""
    before = ""
    for word in arguments:
        option, _, path = word.partition("=") if word.startswith("--config=") else (before, "", word)
        before = word
        if option == "--config" and os.path.exists(path):
            try:
                content = read_config(Path(path))
            except ValueError as error:
                why = " ".join(str(error.__cause__ or error).split())[:300]
                message = f"--config takes a YAML file such as a run's config.yaml, which this is not ({path}: {why})"
                raise ValueError(message) from error
            former = _FORMER.get(command, ())
            if not content.keys().isdisjoint(former):
                kept = json.dumps({key: value for key, value in content.items() if key not in former}, default=str)
                word = f"--config={kept}" if word.startswith("--config=") else kept
        yield word


def _values(parser: ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    found = vars(parser.instantiate(parser.parse_args(listed(arguments))))
    return {name: value.expanduser() if isinstance(value, Path) else value for name, value in found.items()}
