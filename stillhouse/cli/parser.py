"""From the words of a command line to a command, and from whatever goes wrong to one sentence."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jsonargparse import ArgumentError, ArgumentParser

from .. import distributed
from ..contract.check import check
from ..data.on_disk import is_worker_death, worker_died
from ..spelling import misfit, nearest
from ..training.config import TrainConfig
from ..training.loop import Stopped
from ..training.progress import Display
from .build import Setting, epochs_for
from .cache import FillOptions, fill
from .commands import DistillOptions, EvaluateOptions, TrainOptions, distill, measure, train
from .inspect import InspectOptions, inspect
from .list import LISTS, show
from .recipes import find


@dataclass(frozen=True)
class _Command:
    """A command that works on data: what it does, where its options come from, and which one needs no --name."""

    act: Callable[..., None]
    options: type[Any]
    positional: str | None = None
    takes: str = ""  # what the positional one is
    groups: tuple[type[Any], ...] = (Setting, TrainConfig)  # further options


_COMMANDS = {
    "train": _Command(train, TrainOptions),
    "distill": _Command(distill, DistillOptions),
    "evaluate": _Command(
        measure,
        EvaluateOptions,
        positional="model",
        takes="the folder of a finished run, a safetensors file of one, or a network's name",
    ),
    "cache": _Command(fill, FillOptions),
    "inspect": _Command(
        inspect, InspectOptions, positional="run", takes="the folder of a finished distillation", groups=()
    ),
}


def run(command: str, arguments: Sequence[str]) -> int:
    """A command from its words to its exit code."""
    try:
        return _run(command, arguments)
    except RuntimeError as error:
        # PyTorch raises this out of a signal handler, so even while another error is being put into words.
        if not is_worker_death(error) or os.environ.get("STILLHOUSE_TRACEBACK"):
            raise
        return _refuse(worker_died(error))


def _run(command: str, arguments: Sequence[str]) -> int:
    display = Display(quiet=not distributed.is_first())
    try:
        if command == "list":
            what, containing = _list_words(arguments)
            show(what, display, containing)
        elif command == "check":
            check(_method_word(arguments), display)
        elif command == "inspect":
            _inspect(arguments, display)
        else:
            _act(command, arguments, display)
    except (Stopped, KeyboardInterrupt, distributed.Lost) as stop:
        return _refuse(str(stop) or "interrupted; the same command goes on from the last save")
    except (ValueError, ArithmeticError, OSError, RuntimeError) as error:
        if is_worker_death(error):
            raise
        sentence = _sentence(error)
        if sentence is None or os.environ.get("STILLHOUSE_TRACEBACK"):
            raise
        return _refuse(sentence)
    return 0


def _refuse(sentence: str) -> int:
    who = "" if distributed.is_first() else f" (process {distributed.number()})"
    sys.stderr.write(f"stillhouse{who}: {sentence}\n")
    return 2


def _sentence(error: Exception) -> str | None:
    """What to say, or None for a bug: its traceback says more."""
    if isinstance(error, torch.OutOfMemoryError):
        return "the GPU has too little free memory; choose a smaller --batch_size, or --device cpu"
    if isinstance(error, RuntimeError):
        full = "allocate memory" in str(error)
        return "there is too little memory; choose a smaller --batch_size or --image_size" if full else None
    if not isinstance(error, OSError):
        return str(error)
    where = f" ({error.filename})" if error.filename else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    way_out = "make room" if full else "check that path"
    return f"{error.strerror or error}{where}: {way_out}, or choose another --folder; nothing that was saved is lost"


def _method_word(arguments: Sequence[str]) -> str:
    """Which methods to check."""
    about = (
        "Try methods against the contract: shapes, gradients, number formats, state, resuming, any pair of networks."
    )
    parser = ArgumentParser(prog="stillhouse check", description=about, exit_on_error=False)
    parser.add_argument("methods", help="as for stillhouse distill: my_method.py:MyMethod, 'SpotAdaptive([KD, AT])'")
    try:
        return str(parser.parse_args(list(arguments)).methods)
    except ArgumentError:
        raise ValueError(
            f"stillhouse check takes one word, such as my_method.py:MyMethod, not {len(arguments)}"
        ) from None


def _list_words(arguments: Sequence[str]) -> tuple[str, str]:
    """Which list, and what names in it shall contain."""
    parser = ArgumentParser(prog="stillhouse list", description="Show what there is.", exit_on_error=False)
    parser.add_argument("what", choices=LISTS, nargs="?", default="methods", help="which list")
    parser.add_argument("containing", nargs="?", default="", help="only what has this in its name")
    try:
        words = parser.parse_args(list(arguments))
        return words.what, words.containing
    except ArgumentError:
        raise ValueError(f"stillhouse list shows {', '.join(LISTS)}, not {' '.join(arguments)}") from None


def _act(name: str, arguments: Sequence[str], display: Display) -> None:
    command = _COMMANDS[name]
    values = _parse(name, arguments)
    options, setting = _take(command.options, values), _take(Setting, values)
    with distributed.joined(setting.torch_device()):
        _act_on_data(command, options, setting, values, display)


def _act_on_data(
    command: _Command, options: Any, setting: Setting, values: Mapping[str, Any], display: Display
) -> None:
    recipe = _take(TrainConfig, values if values["epochs"] is not None else {**values, "epochs": TrainConfig.epochs})
    # Methods that can be refused at once are refused here, before data are read.
    strong_view = isinstance(options, DistillOptions) and options.needs_strong_view()
    data = setting.load(recipe.batch_size, strong_view)
    if values["epochs"] is None:
        recipe = dataclasses.replace(recipe, epochs=epochs_for(data))
    display.say(data.describe())
    command.act(options, setting, recipe, data, display)


def _inspect(arguments: Sequence[str], display: Display) -> None:
    """As `_act`, but what is not said here was said when the run began."""
    options = _take(InspectOptions, _parse("inspect", arguments))
    values = _parse("distill", ["--config", str(options.config())]) | options.instead()
    distilled, setting, recipe = (_take(group, values) for group in (DistillOptions, Setting, TrainConfig))
    setting.torch_device()
    data = setting.load(recipe.batch_size, distilled.needs_strong_view())
    display.say(data.describe())
    inspect(options, distilled, setting, recipe, data, display)


def _take(cls: type[Any], values: Mapping[str, Any]) -> Any:
    return cls(**{field.name: values[field.name] for field in dataclasses.fields(cls)})


def _parse(name: str, arguments: Sequence[str]) -> dict[str, Any]:
    command = _COMMANDS[name]
    parser = ArgumentParser(
        prog=f"stillhouse {name}", description=command.act.__doc__, exit_on_error=False, allow_abbrev=False
    )
    if command.groups:
        parser.add_argument("--config", action="config", help="a run's config.yaml, or part of one; later options win")
    known = ["config"]
    for group in (command.options, *command.groups):
        positional = {field.name for field in dataclasses.fields(group)} & {command.positional}
        known += parser.add_class_arguments(group, None, skip=positional)
    if command.positional:
        parser.add_argument(command.positional, help=command.takes)
    if TrainConfig in command.groups:
        parser.set_defaults({"epochs": None})
    try:
        values = _values(parser, arguments)
        if values.get("recipe"):
            published = json.dumps(dict(find(values["recipe"]).options))
            values = _values(parser, ["--config", published, *arguments])
        return values
    except ArgumentError as error:
        raise ValueError(_misread(name, re.sub(r"\s+", " ", str(error)), known)) from None
    except UnicodeDecodeError:
        raise ValueError("--config takes a YAML file such as a run's config.yaml, and this is none") from None


def _values(parser: ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    return dict(vars(parser.instantiate(parser.parse_args(_listed(arguments)))))


def _listed(arguments: Sequence[str]) -> list[str]:
    """Lists may be typed without brackets: --milestones 150,180,210."""
    words: list[str] = []
    for word in arguments:
        words += word.split("=", 1) if word.startswith("--milestones=") else [word]
    return [
        f"[{word}]" if before == "--milestones" and not word.startswith("[") else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def _misread(command: str, complaint: str, known: Sequence[str]) -> str:
    """jsonargparse's complaint in plain words."""
    see = f"See stillhouse {command} --help"
    unknown = re.search(r"^Unrecognized arguments: (\S+)|^Option '(\S+)' is not accepted", complaint, re.IGNORECASE)
    if unknown:
        return _unknown(command, unknown[1] or f"--{unknown[2]}", known) + f" {see}"
    valueless = re.search(r"argument (--\w+)\S*: expected one argument", complaint)
    if valueless:
        return f"{valueless[1]} needs a value. {see}"
    absent = re.search(r"key \"config\": .*'(.*)'", complaint)
    if absent:
        return f"--config: there is no file {absent[1]}"
    if complaint.startswith(("Unexpected config", "Problems parsing config")):
        return f"--config takes a YAML file such as a run's config.yaml, and this is none ({complaint})"
    name, reason = misfit(complaint) or ("", "")
    return f"--{name} {reason}" if name else f"{complaint}. {see}"


def _unknown(command: str, word: str, known: Sequence[str]) -> str:
    option = word.lstrip("-").partition("=")[0]
    if not word.startswith("-"):
        return f"{word!r} belongs to no option; put values with blanks into quotes."
    if _COMMANDS[command].positional == option:
        return f"stillhouse {command} takes the {option} without --{option}: stillhouse {command} runs/NAME."
    return f"stillhouse {command} has no option {word.partition('=')[0]}.{nearest(option, known)}"
