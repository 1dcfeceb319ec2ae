"""A student with other settings."""

import pytest

from stillhouse.grid.student import BaseStudent, with_arguments
from stillhouse.methods.parse import parse

METHODS = tuple(parse("CE(weight=0.1), KD(weight=0.9), Standardized(KD(temperature=3))"))
BASE = BaseStudent({"teacher": "resnet56", "student": "resnet20", "validation": 0.1}, METHODS[:2], {"epochs": 5})


def test_an_argument_of_a_method_changes_and_all_else_stays() -> None:
    changed = with_arguments(METHODS, {"CE.weight": 0.5, "KD[2].temperature": 8})
    assert list(changed) == parse("CE(weight=0.5), KD(weight=0.9), Standardized(KD(temperature=8))")
    assert with_arguments(METHODS, {}) == METHODS
    assert list(with_arguments(METHODS, {"Standardized.eps": 0.1, "KD[1].weight": 3})) == parse(
        "CE(weight=0.1), KD(weight=3), Standardized(KD(temperature=3), eps=0.1)"
    )


def test_cells_have_the_settings_of_distill() -> None:
    first, second = BASE.cells({"KD.temperature": 2, "lr": 0.2, "milestones": [1, 2]}, [3, 4])
    assert (first.seed, second.seed) == (3, 4)
    config, split = first.command.run.config, first.command.run.split
    assert (config.lr, config.milestones, first.command.run.length.epochs) == (0.2, (1, 2), 5)
    assert split.validation == 0.1
    assert list(first.methods) == parse("CE(weight=0.1), KD(weight=0.9, temperature=2)")
    assert first.label == "KD.temperature=2, lr=0.2, milestones=[1, 2]"


def test_the_network_and_its_methods_are_settings_too() -> None:
    BASE.check(["student", "methods", "AT.power"])
    (cell,) = BASE.cells({"student": "resnet8", "methods": "CE + AT(power=3)", "AT.power": 2, "lr": 0.2}, [3])
    assert cell.command.distillation.student == "resnet8"
    assert list(cell.methods) == parse("CE, AT(power=2)")
    assert (cell.pair, cell.command.run.config.lr) == ("resnet56-resnet8", 0.2)
    with pytest.raises(ValueError, match="there is no AT among the --methods"):
        BASE.cells({"methods": "CE", "AT.power": 2}, [3])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("AT.p", "there is no AT among the --methods"),
        ("KD.wait", "KD has no argument 'wait'. Did you mean weight?"),
        ("KD[2].weight", r"the --methods have 1 KD, so there is no KD\[2\]"),
        ("temperature", r"Did you mean KD.temperature\?"),
        ("seed", "--grid has no 'seed' to vary"),
        ("epochs", "epochs is given by --epochs and varied by --grid"),
    ],
)
def test_names_that_cannot_be_varied_are_refused(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        BASE.check(["KD.temperature", "lr", name])


def test_one_of_several_methods_of_a_name_has_to_be_meant() -> None:
    with pytest.raises(ValueError, match=r"write KD\[1\].weight or KD\[2\].weight"):
        with_arguments(METHODS, {"KD.weight": 1})


@pytest.mark.parametrize(("name", "value"), [("KD.temperature", -1), ("lr", "much"), ("lr", -1), ("KD.weight", "a")])
def test_values_that_cannot_be_set_are_refused_with_their_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"--grid {name}={value}: "):
        BASE.cells({name: value}, [0])
