"""The command that trains a chosen student in full."""

import shlex

from stillhouse.cli.arguments import named_values, parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.pick import Pick
from stillhouse.cli.options.train import Train
from stillhouse.cli.runs.rooms import given_for_distill
from stillhouse.cli.summary.in_full import in_full
from stillhouse.grid.student import BaseStudent

TYPED = (
    "--students resnet8,resnet14 --teacher resnet56 --teacher_weights t.pth --teacher_mean 0.5,0.4,0.3 "
    "--validation 0.2 --train_fraction 0.1 --lr 0.1 --nesterov true --milestones 0.5,0.9 --budget 1h "
    "--epochs 30 --seed 3"
)
ALONE = {"lr": 0.1, "nesterov": True, "seed": 3, "epochs": 30, "validation": 0.0, "train_fraction": 1.0}


def command_of(methods: str, size: int = 32, trained: str | None = None, data: str = "my data") -> list[str]:
    command = parse("pick", Pick, [data, *shlex.split(TYPED)], {"data": "data"})
    typed = given_for_distill(command, ("epochs",))
    settings = {"student": "resnet14", "methods": methods}
    base = BaseStudent({"teacher": "resnet56", "validation": 0.1, "epochs": 7}, (), typed)
    return shlex.split(in_full(settings, base.cells(settings, [3])[0], size, typed, 30, trained))


def test_it_is_read_as_the_candidate_on_all_training_images() -> None:
    program, name, *words = command_of("CE + KD(temperature=2)")
    assert (program, name) == ("stillhouse", "distill")
    values = named_values(parse("distill", Distill, words))
    expected = {"data": "my data", "teacher": "resnet56", "teacher_weights": "t.pth", "student": "resnet14"}
    assert {name: values[name] for name in expected} == expected
    assert {name: values[name] for name in ALONE if name != "epochs"} == {
        k: v for k, v in ALONE.items() if k != "epochs"
    }
    assert words[words.index("--epochs") + 1] == "30"
    assert list(values["teacher_mean"]) == [0.5, 0.4, 0.3]  # type: ignore[call-overload] # a list of options
    assert list(values["milestones"]) == [0.5, 0.9]  # type: ignore[call-overload] # the same
    assert values["methods"] == "CE + KD(temperature=2)"


def test_a_teacher_that_was_trained_first_is_its_folder() -> None:
    words = command_of("CE + KD", trained="runs/resnet56")
    assert words[words.index("--teacher") + 1] == "runs/resnet56"
    assert "--teacher_weights" not in words


def test_a_student_that_learns_alone_is_trained_on_images_of_the_same_size() -> None:
    program, name, *words = command_of("CE", size=64)
    assert (program, name) == ("stillhouse", "train")
    values = named_values(parse("train", Train, words))
    assert (values["model"], values["data"], values["image_size"]) == ("resnet14", "my data", 64)


def test_options_that_the_command_would_decide_otherwise_are_told() -> None:
    assert "--image_size" not in command_of("CE", size=16, data="digits")  # its default
    words = command_of("CE", size=32, data="digits")
    assert words[words.index("--image_size") + 1] == "32"
