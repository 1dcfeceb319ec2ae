"""Digits have defaults of their own; whatever the user gave, a recipe, a file or a teacher, wins over them."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from stillhouse.bench.entries import entries
from stillhouse.bench.plan import cells
from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.train import Train
from stillhouse.cli.words.suited import SUITED
from stillhouse.models import MODELS
from tests.helpers.commands import World

PROTOCOL = ("resnet32", None, "auto", "steps", 0.0)
DIGITS = tuple(SUITED["digits"][name] for name in ("teacher", "image_size", "crop", "schedule", "lr_warmup"))


def settings(command: Distill) -> tuple[object, ...]:
    config = command.run.config
    return (
        command.distillation.teacher,
        command.run.data.image_size,
        command.run.split.crop,
        config.schedule,
        config.lr_warmup,
    )


def typed(*words: str) -> tuple[object, ...]:
    return settings(parse("distill", Distill, words))


def test_only_digits_have_defaults_of_their_own() -> None:
    assert typed() == typed("--data", "digits") == DIGITS
    assert typed("--data", "cifar100") == typed("--data=./digits") == PROTOCOL
    assert DIGITS != PROTOCOL
    assert SUITED["digits"]["teacher"] in MODELS
    methods = parse("distill", Distill, []).distillation.methods
    assert methods == SUITED["digits"]["methods"] != parse("distill", Distill, ["--data", "x"]).distillation.methods
    assert parse("distill", Distill, ["--methods", "KD"]).distillation.methods == "KD"


def test_what_is_typed_wins() -> None:
    words = "--teacher vgg8 --image_size 32 --crop shifted --schedule steps --lr_warmup 0.5"
    assert typed(*words.split()) == ("vgg8", 32, "shifted", "steps", 0.5)
    assert typed("--milestones", "3") == (*DIGITS[:3], "steps", DIGITS[4])
    assert typed("--epochs", "1") == DIGITS


def test_a_recipe_and_a_file_of_options_are_followed(tmp_path: Path) -> None:
    teacher, size, _, schedule, _ = typed("--recipe", "cifar100/kd/resnet56-resnet20", "--data", "digits")
    assert (teacher, size, schedule) == ("resnet56", None, "steps")
    (tmp_path / "old.yaml").write_text("data: digits\nlr: 0.1\n")
    assert typed("--config", str(tmp_path / "old.yaml")) == PROTOCOL


def test_a_trained_teacher_decides_the_size(world: World) -> None:
    assert typed("--teacher", str(world.teacher))[1] is None
    assert typed("--teacher", "resnet8", "--teacher_weights", "resnet8.pth")[1] is None


def teacher_epochs(*words: str) -> int:
    command = parse("distill", Distill, ["--lr", "0.1", *words])
    config = dataclasses.replace(command.run.config, epochs=4 if "--epochs" not in words else 3)
    command = dataclasses.replace(command, run=dataclasses.replace(command.run, config=config))
    trained = command.teacher_run()
    assert dataclasses.replace(trained.config, epochs=config.epochs) == config  # nothing else differs
    return trained.config.epochs


def test_a_teacher_that_is_trained_first_has_a_length_of_its_own(world: World) -> None:
    assert teacher_epochs() == SUITED["digits"]["teacher_epochs"] == 8
    assert teacher_epochs("--data", "cifar100") == teacher_epochs("--teacher", str(world.teacher)) == 4
    assert teacher_epochs("--epochs", "3") == 3  # of both
    assert teacher_epochs("--epochs", "3", "--teacher_epochs", "5") == teacher_epochs("--teacher_epochs", "5") == 5
    with pytest.raises(ValueError, match=r"--teacher_epochs must be at least --lr_warmup \(2\), not 1"):
        teacher_epochs("--teacher_epochs", "1", "--lr_warmup", "2")


def test_train_and_bench_train_alike() -> None:
    alone = parse("train", Train, ["--model", "resnet8"]).run
    assert (alone.data.image_size, alone.split.crop, alone.config.schedule, alone.config.lr_warmup) == DIGITS[1:]

    def benched(**given: Any) -> tuple[object, ...]:
        (cell,) = cells([{"teacher": "resnet20", "student": "resnet8"}], entries("CE", None), [0], given)
        return settings(cell.command)

    assert benched() == DIGITS
    assert benched(data="cifar100") == ("resnet20", *PROTOCOL[1:])
    assert benched(image_size=24, milestones=(0.5,)) == ("resnet20", 24, DIGITS[2], "steps", DIGITS[4])
