"""From words to the options of a command: groups, defaults, configurations of old runs."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from stillhouse.anatomy import Anatomy
from stillhouse.cli.arguments import build, group_of, named_values, option_groups, parse
from stillhouse.cli.groups.data import DataOptions
from stillhouse.cli.groups.run import DeviceOptions, RunOptions
from stillhouse.cli.options.cache import Fill
from stillhouse.cli.options.distill import Distill, DistillOptions
from stillhouse.cli.options.evaluate import Evaluate
from stillhouse.cli.options.inspect import Inspect
from stillhouse.cli.options.train import Train
from stillhouse.training.config import TrainConfig

COMMANDS = {"train": Train, "distill": Distill, "evaluate": Evaluate, "cache": Fill, "inspect": Inspect}


def test_a_command_is_made_of_its_groups() -> None:
    groups = list(option_groups(Distill))
    assert groups[0] is DistillOptions
    assert {DataOptions, DeviceOptions, TrainConfig} < set(groups)
    assert list(option_groups(Evaluate))[2:4] == [DataOptions, DeviceOptions]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_groups_of_a_command_have_an_option_of_one_name(name: str) -> None:
    names = [field.name for group in option_groups(COMMANDS[name]) for field in dataclasses.fields(group)]
    names.remove("epochs") if "epochs" in names else None  # TrainConfig's is filled in when the data are known
    assert len(names) == len(set(names))


def test_values_reach_their_groups_and_come_back_by_name() -> None:
    command = parse("distill", Distill, ["--student", "resnet20", "--lr", "0.1", "--epochs", "3", "--seed", "7"])
    assert (command.distillation.student, command.run.config.lr, command.run.output.seed) == ("resnet20", 0.1, 7)
    assert (command.run.config.epochs, command.run.length.epochs) == (3, 3)
    assert build(Distill, named_values(command)) == command
    assert group_of(command, DeviceOptions) is command.run.device
    with pytest.raises(TypeError, match="Evaluate has no RunOptions"):
        group_of(parse("evaluate", Evaluate, ["x"], {"model": ""}), RunOptions)


OF_VERSION_0_1_0 = {"model": "resnet8", "teacher_precision": "float32", "teacher_cache": "auto", "memory_budget": None}


@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"]])
def test_the_configuration_of_an_old_training_is_read(tmp_path: Path, form: list[str]) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**OF_VERSION_0_1_0, "cache_budget": None, "epochs": 2}))
    words = [word.format(tmp_path / "config.yaml") for word in form]
    command = parse("train", Train, [*words, "--lr", "0.3"])
    assert (command.network.model, command.run.config.epochs, command.run.config.lr) == ("resnet8", 2, 0.3)


def test_what_only_an_old_configuration_may_hold_is_not_typed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stillhouse train has no option --teacher_cache"):
        parse("train", Train, ["--teacher_cache", "on"])
    (tmp_path / "config.yaml").write_text("teacher_cache: auto\nlr: 0.3\n")
    with pytest.raises(ValueError, match="stillhouse evaluate has no option --teacher_cache"):
        parse("evaluate", Evaluate, ["--config", str(tmp_path / "config.yaml"), "x"], {"model": ""})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("evaluate", "lr"),
        ("evaluate", "seed"),
        ("evaluate", "folder"),
        ("train", "teacher_cache"),
        ("train", "memory_budget"),
        ("train", "teacher_precision"),
        ("cache", "epochs"),
        ("cache", "teacher_cache"),
        ("cache", "seed"),
        ("inspect", "folder"),
    ],
)
def test_a_command_has_no_option_that_it_would_ignore(name: str, option: str) -> None:
    with pytest.raises(ValueError, match=f"stillhouse {name} has no option --{option}"):
        parse(name, COMMANDS[name], [f"--{option}", "1", "x"], {"model": "", "run": ""})


def test_the_parts_of_an_anatomy_are_options_too() -> None:
    options = parse("distill", Distill, ["--student_anatomy.stages", '["stage2"]', "--student_anatomy.head=fc"])
    assert options.distillation.student_anatomy == Anatomy(stages=("stage2",), head="fc")


def test_folders_may_be_given_in_the_home_folder_where_no_shell_expands_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "options.yaml").write_text("folder: ~/all\n")
    assert parse("train", Train, ["--folder=~/runs"]).run.output.folder == tmp_path / "runs"
    typed = ["--config", str(tmp_path / "options.yaml")]
    assert parse("train", Train, typed).run.output.folder == tmp_path / "all"
