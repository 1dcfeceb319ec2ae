"""Run the command on a command line, and report any error in one sentence."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from ..bench.jobs import OUT_OF_MEMORY
from ..spelling import sentence
from ..training import ranks
from ..training.progress import Display
from ..training.stop_signals import Stopped
from .arguments import group_of, named_by_configs, option_groups, parse
from .groups.data import DataOptions
from .groups.run import DeviceOptions
from .list import LISTS, show
from .options.bench import Bench
from .options.cache import Fill
from .options.distill import Distill
from .options.evaluate import Evaluate
from .options.export import Export
from .options.grid import Grid
from .options.inspect import Inspect
from .options.inspect_data import InspectData, names_data
from .options.pick import Pick
from .options.plan import Plan
from .options.predict import Predict
from .options.probe import Probe
from .options.report import Report
from .options.train import Train
from .runs.command import runs
from .startup import begun, without_remarks
from .words.data_names import refuse_misspelt
from .words.resolved import PRINT, resolved

_NO_HOME = "a path begins with ~, and whose home folder that is cannot be told here; write the path in full"
_Act = Callable[..., int | None]  # does what a command is for; returns the exit code, None for 0


@dataclass(frozen=True)
class _Command:
    """A command that works on data.

    Args:
        act: Imports its function, and with it PyTorch.
        options: Its options.
        positional: Those that are typed without their names, explained.
        ranks: Several processes that torchrun started can share its work.
    """

    act: Callable[[], _Act]
    options: type[Any]
    positional: Mapping[str, str] = field(default_factory=dict)
    ranks: bool = False


def _later(module: str, name: str) -> Callable[[], _Act]:
    """Return a callable that imports a function of a module of this package and returns it."""

    def imported() -> _Act:
        found: _Act = getattr(import_module(f"{__package__.rpartition('.')[0]}.{module}"), name)
        return found

    return imported


_COMMANDS = {
    "plan": _Command(_later("cli.plan", "planned"), Plan, {"data": "a data set's name or folder, or file.py:function"}),
    "train": _Command(_later("cli.train", "train"), Train, ranks=True),
    "distill": _Command(_later("bench.several", "distill"), Distill, ranks=True),
    "bench": _Command(_later("cli.bench", "bench"), Bench),
    "grid": _Command(_later("cli.grid", "grid"), Grid),
    "pick": _Command(_later("cli.pick", "pick"), Pick, {"data": "a data set's name or folder, or file.py:function"}),
    "evaluate": _Command(
        _later("cli.evaluate", "measure"),
        Evaluate,
        {"model": "the folder of a finished run, a safetensors file of one, or a network's name"},
    ),
    "probe": _Command(
        _later("cli.probe", "probed"),
        Probe,
        {"model": "the folder of a finished run, a safetensors file of one, or a network's name"},
        ranks=True,
    ),
    "predict": _Command(
        _later("cli.predict", "predicted"),
        Predict,
        {
            "model": "the folder of a finished run, a safetensors file of one, an exported file, or a network's name",
            "images": "image files, folders, patterns such as 'photos/*.jpg', or - for names on standard input",
        },
    ),
    "export": _Command(
        _later("cli.export", "exported"),
        Export,
        {"model": "the folder of a finished run, a safetensors file of one, or a network's name"},
    ),
    "cache": _Command(_later("cli.cache", "fill"), Fill),
    "inspect": _Command(
        _later("cli.inspect", "inspect"), Inspect, {"run": "the folder of a finished distillation, or data"}
    ),
    "report": _Command(_later("cli.report", "report"), Report, {"runs": "folders of runs, and folders that hold some"}),
}

_INSPECT_DATA = _Command(
    _later("cli.inspect_data", "inspect_data"),
    InspectData,
    {"data": "a data set's name or folder, or file.py:function"},
)


def run(command: str, arguments: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    try:
        return _run(command, arguments)
    except RuntimeError as error:
        # PyTorch raises this from a signal handler, so it can come even while another error is being reported.
        why = _death(error)
        if why is None or os.environ.get("STILLHOUSE_TRACEBACK"):
            raise
        return _refuse(why)


def _run(command: str, arguments: Sequence[str]) -> int:
    display = Display(quiet=not ranks.is_first())
    try:
        if command == "list":
            what, containing = _list_words(arguments)
            show(what, display, containing)
        elif command == "runs":
            return runs(arguments, display, run)
        elif command == "check":
            ranks.refuse_several(command)
            words = _method_word(arguments)
            from ..contract.check import check  # only this command needs its small networks and laws

            begun()
            check(words, display)
        else:
            return _act(command, arguments, display)
    except (Stopped, KeyboardInterrupt, ranks.Lost) as stop:
        return _refuse(str(stop) or "interrupted; run the same command again to resume from the last save")
    except (ValueError, ArithmeticError, OSError, RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and _death(error) is not None:
            raise
        why = _explain(error)
        if why is None or os.environ.get("STILLHOUSE_TRACEBACK"):
            raise
        _refuse(why)
        return OUT_OF_MEMORY if _is_memory(error) else 2
    return 0


def _refuse(why: str) -> int:
    who = "" if ranks.is_first() else f" (process {ranks.number()})"
    sys.stderr.write(f"stillhouse{who}: {sentence(why)}\n")
    return 2


def _death(error: RuntimeError) -> str | None:
    """Return a sentence about a worker process that died; None if the error is another."""
    from ..data.on_disk import is_worker_death, worker_died

    return worker_died(error) if is_worker_death(error) else None


def _is_memory(error: Exception) -> bool:
    is_full = isinstance(error, RuntimeError) and "allocate memory" in str(error)
    return is_full or isinstance(error, MemoryError) or _is_gpu_memory(error)


def _is_gpu_memory(error: Exception) -> bool:
    torch = sys.modules.get("torch")  # without it, it has raised nothing
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _explain(error: Exception) -> str | None:
    """Return the message for the user; None for a bug, whose traceback says more."""
    if _is_gpu_memory(error):
        return "the GPU has too little free memory; choose a smaller --batch_size, or --device cpu"
    if _is_memory(error):
        return "there is too little memory; choose a smaller --batch_size or --image_size"
    if isinstance(error, RuntimeError):
        return _NO_HOME if "home directory" in str(error) else None
    if not isinstance(error, OSError):
        return str(error)
    where = f" ({error.filename})" if error.filename else ""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room" if full else "check that path"
    return f"{error.strerror or error}{where}: {remedy}, or choose another --folder; nothing that was saved is lost"


def _method_word(arguments: Sequence[str]) -> str:
    """Return the methods to check."""
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
    """Return the name of a list, and what names in it must contain."""
    parser = ArgumentParser(
        prog="stillhouse list", description="List methods, models, data sets or recipes.", exit_on_error=False
    )
    parser.add_argument("what", choices=LISTS, nargs="?", default="methods", help="which list")
    parser.add_argument("containing", nargs="?", default="", help="show only names that contain this")
    try:
        words = parser.parse_args(list(arguments))
        return words.what, words.containing
    except ArgumentError:
        raise ValueError(f"stillhouse list shows {', '.join(LISTS)}, not {' '.join(arguments)}") from None


def _act(name: str, arguments: Sequence[str], display: Display) -> int:
    command = _INSPECT_DATA if name == "inspect" and names_data(arguments) else _COMMANDS[name]
    words = [word for word in arguments if word != PRINT]
    with named_by_configs(words):
        options = parse(name, command.options, words, command.positional)
        if len(words) < len(arguments):
            display.paste(resolved(options).rstrip())
            return 0
        if DataOptions in option_groups(command.options):
            refuse_misspelt(group_of(options, DataOptions).data)
        act = command.act()
        begun()
        without_remarks()
        if not command.ranks:
            ranks.refuse_several(name)
        if DeviceOptions not in option_groups(command.options):  # it does not compute anything
            return act(options, display) or 0
        from .. import distributed

        with distributed.joined(group_of(options, DeviceOptions).torch_device()):
            return act(options, display) or 0
