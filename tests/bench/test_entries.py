"""Methods of a bench as they are typed."""

import pytest

from stillhouse.bench.entries import entries, learns_alone, students, unlabelled
from stillhouse.methods.parse import parse


def described(text: str | list[str], recipes: str | None = None) -> dict[str, list[str]]:
    return {entry.label: [method.name for method in entry.methods] for entry in entries(text, recipes)}


def test_commas_separate_students_and_plus_adds_losses() -> None:
    assert described("CE, CE+KD(temperature=2), CE + SpotAdaptive([KD, AT])") == {
        "CE": ["CE"],
        "CE + KD(temperature=2)": ["CE", "KD"],
        "CE + SpotAdaptive([KD, AT])": ["CE", "SpotAdaptive"],
    }


def test_items_of_a_list_may_be_written_as_for_distill() -> None:
    assert described(["CE, KD(temperature=2)", "CE + AT"]) == {
        "CE + KD(temperature=2)": ["CE", "KD"],
        "CE + AT": ["CE", "AT"],
    }


def test_commas_and_signs_inside_of_brackets_and_quotes_separate_nothing() -> None:
    (entry,) = entries('CE + FitNet(weight=1e+2, at="stage2")', None)
    assert str(entry.methods[1]).startswith("FitNet(weight=100.0")


def test_recipes_are_methods_too() -> None:
    found = entries("CE", "cifar100/dkd, cifar100/crd/")
    assert [(entry.label, entry.recipe) for entry in found] == [
        ("CE", None),
        ("cifar100/dkd", "cifar100/dkd"),
        ("cifar100/crd", "cifar100/crd"),
    ]


@pytest.mark.parametrize(
    ("methods", "says"),
    [
        ("CE, CE", "CE and CE are the same; leave one out"),
        ("CE + KD, CE + KD(temperature=4)", r"CE \+ KD and CE \+ KD\(temperature=4\) are the same"),
        ("", "--methods is empty; name some, or leave it out"),
        ("CE + XD", "there is no method .XD."),
    ],
)
def test_what_cannot_be_compared_is_refused(methods: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        entries(methods, None)


def test_only_plain_labels_are_learned_alone() -> None:
    assert learns_alone(parse("CE"))
    assert not learns_alone(parse("CE(weight=2)"))
    assert not learns_alone(parse("CE, KD"))


def test_methods_without_labels_are_named() -> None:
    assert list(unlabelled(entries("CE, KD, CE + KD, DKD", "cifar100/dkd"))) == ["KD", "DKD"]


@pytest.mark.parametrize("between", ["", ","])
def test_semicolons_separate_students_for_every_command(between: str) -> None:
    found = students("CE; CE, KD(temperature=2); CE + AT", between)
    assert [entry.label for entry in found] == ["CE", "CE + KD(temperature=2)", "CE + AT"]
    assert [[method.name for method in entry.methods] for entry in found] == [["CE"], ["CE", "KD"], ["CE", "AT"]]


def test_commas_alone_add_losses_where_there_is_one_student() -> None:
    assert [[method.name for method in entry.methods] for entry in students("CE, KD")] == [["CE", "KD"]]
    assert [[method.name for method in entry.methods] for entry in students(["CE", "KD"])] == [["CE", "KD"]]
