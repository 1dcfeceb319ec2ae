"""No command has an option that it ignores: every option of every command is read while the command runs."""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stillhouse.cli import parser
from stillhouse.cli.arguments import option_groups
from stillhouse.cli.groups.run import DeviceOptions
from stillhouse.training.progress import Display
from tests.helpers.commands import World, only

GENERIC = ("__post_init__", "named_values", "changed")  # they go through all options, whatever is done with them
DOT = ("--optimizer", "dot", "--dot_delta", "0.05", "--epochs", "1")


class Recorder:
    """Notes which fields of option groups are read by the package, other than by what goes through all of them."""

    def __init__(self, groups: Sequence[type[Any]], monkeypatch: pytest.MonkeyPatch):
        self.read: set[str] = set()
        for group in groups:
            names = {field.name for field in dataclasses.fields(group)}
            monkeypatch.setattr(group, "__getattribute__", self._recording(names))

    def _recording(self, names: set[str]) -> Any:
        def recording(this: object, name: str) -> object:
            code = sys._getframe(1).f_code
            generic = any(part in code.co_qualname for part in GENERIC)
            if name in names and not generic and code.co_filename.startswith((str(PACKAGE), __file__)):
                self.read.add(name)
            return object.__getattribute__(this, name)

        return recording


PACKAGE = Path(parser.__file__).parents[1]


def unread(command: parser._Command, runs: Sequence[Sequence[str]], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a command with each of these words, and return the options that it did not read."""
    groups = list(option_groups(command.options))
    with monkeypatch.context() as patch:
        patch.setitem(parser._COMMANDS, "tried", command)
        recorder = Recorder(groups, patch)
        for words in runs:
            assert parser.run("tried", words) == 0, words
    return [field.name for group in groups for field in dataclasses.fields(group) if field.name not in recorder.read]


def without(option: str, words: Sequence[str]) -> list[str]:
    place = list(words).index(option)
    return [*words[:place], *words[place + 2 :]]


def test_every_option_of_every_command_is_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(world.pictures), "--device", "cpu"]
    train = ["--model", f"{world.nets}:small", *world.small(tmp_path, epochs=1)]
    distill = world.distill(tmp_path, epochs=1)[1:]
    place = distill.index("--data")
    planned = [distill[place + 1], *distill[:place], *distill[place + 2 :]]
    monkeypatch.setattr("stillhouse.cli.runs.courses._STEPS", 0.02)
    monkeypatch.setattr("stillhouse.cli.plan._LATENCY", 0.02)
    runs = {
        "train": [train, [*train, *DOT]],
        "distill": [distill, [*distill, *DOT, "--baseline", "false"]],
        "plan": [
            [*planned, "--budget", "1s", "--format", "svg"],
            [*planned, "--teacher", f"{world.nets}:wide", *DOT],
        ],
        "evaluate": [[str(world.teacher), *data, "--report", str(tmp_path / "report"), "--format", "svg"]],
        "predict": [[str(world.teacher), str(world.pictures / "val"), "--device", "cpu"]],
        "export": [
            [
                str(world.teacher),
                "--to",
                "torchscript",
                "-o",
                str(tmp_path / "exported"),
                *data[:2],
                "--compiled",
                "false",
            ]
        ],
        "bench": [[*distill, "--methods", "CE + KD", "--seeds", "1"]],
        "grid": [
            [*distill, "--methods", "CE + KD", "--grid", "lr=0.1", *more]
            for more in ([], ["--room", "1"], ["--search", "tpe", "--trials", "1"])
        ],
        "pick": [
            [str(world.pictures), *without("--student", without("--data", distill)), "--students", nets, *more]
            for nets, more in (
                (f"{world.nets}:small,{world.nets}:wide", ["--methods", "CE + KD"]),
                (f"{world.nets}:small", []),
            )
        ],
        "probe": [
            [f"{world.nets}:wide", "--weights", str(world.teacher / "model.safetensors"), *data, *more]
            for more in ([], ["--protocol", "crd"])
        ],
        "cache": [["--teacher", str(world.teacher), *data, "--batch_size", "16", "--folder", str(tmp_path)]],
    }
    found = {name: unread(parser._COMMANDS[name], runs[name], monkeypatch) for name in runs}
    monkeypatch.setattr("stillhouse.analysis.figures.save", lambda *_: [])  # drawing takes seconds
    inspected = [str(next(tmp_path.glob("*from*"))), "--device", "cpu"]
    reported = [str(tmp_path), "--baseline", "CE", "--format", "csv", "-o", str(tmp_path / "runs.csv")]
    found["report"] = unread(parser._COMMANDS["report"], [reported], monkeypatch)
    found["inspect"] = unread(parser._COMMANDS["inspect"], [inspected], monkeypatch)
    assert found.keys() == parser._COMMANDS.keys()
    shown = [str(world.pictures), "--folder", str(tmp_path / "shown")]
    found["inspect DATA"] = unread(parser._INSPECT_DATA, [shown], monkeypatch)
    assert found == {name: [] for name in found}
    assert only(world.runs) == world.teacher
    capsys.readouterr()


@dataclass(frozen=True)
class Half:
    """Made up.

    Args:
        read: It is.
        ignored: It is not, though it is checked.
    """

    read: int = 1
    ignored: int = 2

    def __post_init__(self) -> None:
        if self.ignored < 0:
            raise ValueError("--ignored must not be negative")


@dataclass(frozen=True)
class Made:
    """Made up."""

    half: Half
    device: DeviceOptions


def test_an_option_that_is_ignored_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(command: Made, display: Display) -> None:
        display.say(f"{command.half.read} {dataclasses.asdict(command.half)}")

    assert unread(parser._Command(lambda: act, Made), [["--ignored", "3"]], monkeypatch) == ["ignored"]
