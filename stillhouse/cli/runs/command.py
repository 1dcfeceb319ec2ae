"""`stillhouse runs`: what lies in a folder of runs; `runs resume` and `runs rm` for single ones."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser

from ...spelling import counted, nearest
from ...training import ranks
from ...training.progress import Display
from ..words.help import HelpFormatter
from .listing import Listed, listed, listed_run, megabytes, table

Start = Callable[[str, Sequence[str]], int]  # runs a command by name, with the words after it
_FOLDER = Path("runs")
_ACTIONS = {"list": "list", "ls": "list", "resume": "resume", "rm": "rm"}
_USAGE = "stillhouse runs [FOLDER], stillhouse runs resume RUN, or stillhouse runs rm RUN ... --yes"
_TOLD = 3  # damaged runs
_HASH = re.compile("-[0-9a-f]{8}$")  # at the end of a run's name
_FILES = ("lock", "state.pt", "result.json", "metrics.jsonl")  # one of them is in the folder of every run


def runs(arguments: Sequence[str], display: Display, start: Start) -> int:
    """List runs, resume one, or remove some; return the exit code.

    Args:
        arguments: The words after `runs`.
        start: Runs another command.

    Raises:
        ValueError: If a word cannot be read, there is no such run, or it must not be removed.
    """
    words, folder, is_sure = _words(arguments)
    action, named = (_ACTIONS[words[0]], words[1:]) if words and words[0] in _ACTIONS else ("list", words)
    if action == "list":
        folders = [*named, *([] if folder is None else [folder])]
        if len(folders) > 1:
            meant = nearest(str(folders[0]), _ACTIONS)
            usage = f"usage: {_USAGE}{'.' if meant else ''}{meant}"
            raise ValueError(f"stillhouse runs lists one folder, not {len(folders)}; {usage}")
        _list(Path(folders[0]).expanduser() if folders else _FOLDER, display)
        return 0
    if not all(named) or not named or (action == "resume" and len(named) > 1):
        raise ValueError(f"stillhouse runs {action} needs the folder of a run; usage: {_USAGE}")
    found = [_find(name, _FOLDER if folder is None else Path(folder).expanduser()) for name in named]
    if action == "rm":
        ranks.refuse_several("runs rm")
        _remove(found, is_sure, display)
        return 0
    return _resume(found[0], display, start)


def _words(arguments: Sequence[str]) -> tuple[list[str], str | None, bool]:
    """Return the words, the folder of runs if one is given, and True if runs may be removed."""
    about = "List the runs in a folder (by default runs/), resume an unfinished one, or remove some."
    parser = ArgumentParser(
        prog="stillhouse runs", description=about, exit_on_error=False, formatter_class=HelpFormatter
    )
    words = parser.add_argument("words", nargs="*", help="a folder of runs; resume RUN; or rm RUN ...")
    words.required = False  # argparse asks for none either
    parser.add_argument("--folder", help="the folder that holds the runs (by default runs/)")
    parser.add_argument("--yes", action="store_true", help="remove runs for good")
    rest = iter(arguments)  # options may stand between words, which argparse does not read
    options, typed = list[str](), list[str]()
    for word in rest:
        (options if word.startswith("-") else typed).extend([word, *islice(rest, word == "--folder")])
    try:
        read = parser.parse_args([*typed, *options])
    except ArgumentError:
        raise ValueError(f"stillhouse runs does not take {' '.join(arguments)}; usage: {_USAGE}") from None
    return list(read.words), read.folder, bool(read.yes)


def _list(folder: Path, display: Display) -> None:
    if not folder.is_dir():
        meant = nearest(str(folder), _ACTIONS)
        kept = f"runs are kept in --folder, which is runs if it is not given{'.' if meant else ''}{meant}"
        raise ValueError(f"there is no folder {folder}; {kept}")
    found = listed(folder)
    if not found:
        raise ValueError(f"there is no run in {folder}; stillhouse distill makes some")
    display.console.print(table(found, display.console.width))
    unfinished = [run for run in found if run.can_be_resumed]
    in_training = sum(run.is_in_use and not run.is_done for run in found)
    now = f"{in_training:,} in training, " if in_training else ""
    size = megabytes(sum(run.size for run in found))
    total = f"{counted(len(found), 'run')}, {now}{len(unfinished):,} unfinished, {size}"
    cache = sum(path.stat().st_size for path in (folder / "teacher_cache").rglob("*") if path.is_file())
    display.say(
        total + (f", and {megabytes(cache)} of teachers' outputs in {folder / 'teacher_cache'}" if cache else "")
    )
    for run in [run for run in found if run.problem][:_TOLD]:
        display.note(run.problem)
    if unfinished:
        taught = [run for run in unfinished if "student" in run.config]
        display.paste(f"to go on: stillhouse runs resume {[*taught, *unfinished][0].folder}")
        if taught and len(taught) < len(unfinished):
            display.say("a distillation also resumes the runs of its own teacher and of its student by itself")


def _find(name: str, folder: Path) -> Listed:
    """Return the run of a folder: its path, its name in the folder of runs, or a part of that name.

    No other run may have that part in its name, and no other file or folder may be called so.
    """
    path = Path(name).expanduser()
    for place in (path, folder / name):
        if (run := listed_run(place)) is not None:
            return run
    parts = [] if path.exists() else [one for one in sorted(folder.glob("*/")) if name in one.name and listed_run(one)]
    if len(parts) == 1 and (run := listed_run(parts[0])) is not None:
        return run
    several = f": {len(parts)} runs in {folder} have that in their names" if parts else ""
    raise ValueError(f"{name} is not the folder of a run{several}; stillhouse runs lists them")


def _remove(found: Sequence[Listed], is_sure: bool, display: Display) -> None:
    if busy := [run for run in found if run.is_in_use]:
        raise ValueError(f"{busy[0].folder} is in use by another process; stop that first")
    for run in found:
        if run.folder.is_symlink():
            raise ValueError(f"{run.folder} is a link to {run.folder.resolve()}; name that folder, or remove the link")
        if not any((run.folder / name).is_file() for name in _FILES):
            raise ValueError(
                f"{run.folder} has a config.yaml and nothing else of a run, so it stays; remove it by hand"
            )
    found = list({run.folder.resolve(): run for run in found}.values())
    what = ", ".join(f"{run.folder} ({run.state}, {megabytes(run.size)})" for run in found)
    if not is_sure:
        raise ValueError(f"stillhouse runs rm would remove {what} for good; add --yes if that is what you want")
    for run in found:
        shutil.rmtree(run.folder)
        display.say(f"removed {run.folder}")


def _resume(run: Listed, display: Display, start: Start) -> int:
    """Type the command of a run again.

    Raises:
        ValueError: If it is damaged, finished, in use or renamed, or its configuration does not say which command it
            was.
    """
    if run.problem:
        raise ValueError(run.problem)
    if run.is_done:
        raise ValueError(f"{run.folder} is finished; there is nothing to resume")
    if run.is_in_use:
        raise ValueError(f"{run.folder} is in use by another process; it is being trained")
    command = "distill" if "student" in run.config else "train" if "model" in run.config else None
    if command is None:
        raise ValueError(
            f"{run.folder} was not made by stillhouse train or distill; the program that made it resumes it"
        )
    _refuse_other_name(run.folder)
    words = ["--config", str(run.folder / "config.yaml"), "--folder", str(run.folder.parent)]
    from ...training.run_folder import expected  # it imports PyTorch, which a list of runs does without

    display.paste(f"stillhouse {command} {' '.join(words)}")
    with expected(run.folder):
        return start(command, words)


def _refuse_other_name(folder: Path) -> None:
    """Refuse a folder that has lost the hash of its run, because the command of the run would begin another folder."""
    from ...training.saved_state import hash_of, saved_name  # they import PyTorch

    name = folder.resolve().name
    was = saved_name(folder)
    if hash_of(was) == hash_of(name) if was else _HASH.search(name):
        return
    known = f"{folder} was renamed, and a run is recognised by the hash at the end of its name"
    if not was:
        raise ValueError(f"{known}; give it its old name, which no file in it says, or train it again by its command")
    old = folder.with_name(was)
    if old.exists():
        raise ValueError(
            f"{folder} is a copy of {old}, which the same command resumes; resume that one, or move {folder} into "
            f"another folder under that name"
        )
    raise ValueError(f"{known}; to resume it, give that back: mv {shlex.quote(str(folder))} {shlex.quote(str(old))}")
