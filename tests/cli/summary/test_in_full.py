"""The command that trains a chosen student in full."""

import shlex

from stillhouse.cli.arguments import named_values, parse
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.pick import Pick
from stillhouse.cli.options.train import Train
from stillhouse.cli.runs.rooms import given_for_distill
from stillhouse.cli.summary.in_full import in_full

TYPED = (
    "my data --students resnet8,resnet14 --teacher resnet56 --teacher_weights t.pth --teacher_mean 0.5,0.4,0.3 "
    "--validation 0.2 --train_fraction 0.1 --lr 0.1 --nesterov true --milestones 0.5,0.9 "
    "--budget 1h --epochs 30 --seed 3"
)


def command_of(methods: str, teacher: str = "resnet56") -> list[str]:
    words = ["my data", *TYPED.split()[2:]]
    command = parse("pick", Pick, words, {"data": "data"})
    typed = given_for_distill(command, ("epochs",))
    return shlex.split(in_full({"student": "resnet14", "methods": methods}, teacher, typed, command))


def test_it_is_read_as_the_candidate_on_all_training_images() -> None:
    program, name, *words = command_of("CE + KD(temperature=2)")
    assert (program, name) == ("stillhouse", "distill")
    values = named_values(parse("distill", Distill, words))
    expected = {"data": "my data", "teacher": "resnet56", "teacher_weights": "t.pth", "student": "resnet14", "lr": 0.1}
    expected |= {"validation": 0.0, "train_fraction": 1.0, "nesterov": True, "seed": 3}
    assert {name: values[name] for name in expected} == expected
    assert words[words.index("--epochs") + 1] == "30"
    assert list(values["teacher_mean"]) == [0.5, 0.4, 0.3]  # type: ignore[call-overload]
    assert list(values["milestones"]) == [0.5, 0.9]  # type: ignore[call-overload]
    assert values["methods"] == "CE + KD(temperature=2)"


def test_a_teacher_that_was_trained_first_is_its_folder() -> None:
    words = command_of("CE + KD", "runs/resnet56")
    assert words[words.index("--teacher") + 1] == "runs/resnet56"


def test_a_student_that_learns_alone_is_trained() -> None:
    program, name, *words = command_of("CE")
    assert (program, name) == ("stillhouse", "train")
    values = named_values(parse("train", Train, words))
    assert (values["model"], values["data"], values["lr"], values["seed"]) == ("resnet14", "my data", 0.1, 3)
