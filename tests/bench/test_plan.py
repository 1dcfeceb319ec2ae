"""The plan of a bench: pairs x methods x seeds, and who shares a room."""

from pathlib import Path

import pytest

from stillhouse.bench.entries import entries
from stillhouse.bench.plan import Pair, Room, cells, names_of, pairs_in_words, pairs_of, rooms, typed_options
from tests.helpers.commands import World

PAIR: Pair = {"teacher": "resnet56", "student": "resnet20"}


def test_every_method_meets_every_pair_with_every_seed_pair_by_pair_and_seed_by_seed() -> None:
    pairs = pairs_of("", "", "resnet56-resnet20,wrn_40_2-wrn_16_2")
    found = cells(pairs, entries("CE, CE + KD", None), [3, 4], {"lr": 0.2})
    assert [(cell.pair, cell.seed, cell.label) for cell in found] == [
        (pair, seed, label)
        for pair in ("resnet56-resnet20", "wrn_40_2-wrn_16_2")
        for seed in (3, 4)
        for label in ("CE", "CE + KD")
    ]
    assert {cell.command.run.config.lr for cell in found} == {0.2}
    assert not any(cell.command.distillation.baseline for cell in found)
    assert [len(room.cells) for room in rooms(found)] == [2, 2, 2, 2]


def test_a_recipe_brings_its_settings_and_what_is_typed_wins() -> None:
    (published,) = cells([PAIR], entries(None, "cifar100/dkd"), [0], {})
    assert published.recipe == published.command.distillation.recipe == "cifar100/dkd/resnet56-resnet20"
    assert published.command.run.length.epochs == 240
    assert published.command.run.data.data == "cifar100"
    assert [method.name for method in published.methods] == ["CE", "Ramped"]
    (shorter,) = cells([PAIR], entries(None, "cifar100/dkd"), [0], {"epochs": 3, "data": "digits"})
    assert (shorter.command.run.length.epochs, shorter.command.run.data.data) == (3, "digits")
    with pytest.raises(ValueError, match="there is no recipe"):
        cells([{"teacher": "resnet20", "student": "resnet8"}], entries(None, "cifar100/dkd"), [0], {})


def test_options_of_a_pair_are_its_own() -> None:
    other = {"teacher": "resnet56", "student": "resnet8", "lr": 0.01}
    found = cells([PAIR, other], entries("CE, CE + KD", None), [0], {})
    assert [cell.command.run.config.lr for cell in found] == [0.05, 0.05, 0.01, 0.01]
    assert len(rooms(found)) == 1  # one teacher, one stream of images


def test_other_images_are_another_room() -> None:
    pairs: list[Pair] = [
        PAIR,
        {**PAIR, "batch_size": 32},
        {**PAIR, "teacher": "resnet110"},
        {**PAIR, "validation": 0.1},
    ]
    assert len(rooms(cells(pairs, entries("CE + KD", None), [0], {}))) == 4


def test_a_teacher_that_is_trained_first_is_given_by_its_folder() -> None:
    (cell,) = cells([PAIR], entries("CE + KD", None), [0], {})
    asked = Room((cell,), Path("runs/it")).command.distillation
    assert (asked.teacher, asked.teacher_weights) == ("resnet56", "runs/it")


def test_pairs_have_names_that_differ(world: World) -> None:
    same: Pair = {"teacher": "vgg13", "student": "vgg8"}
    assert names_of([same, {**same, "student": "my_nets.py:Small"}]) == ["vgg13-vgg8", "vgg13-my_nets.py:Small"]
    assert names_of([{**same, "student": "a/nets.py:S"}, {**same, "student": "b/nets.py:S", "lr": 0.1}]) == [
        "vgg13-nets.py:S (student a/nets.py:S)",
        "vgg13-nets.py:S (student b/nets.py:S, lr 0.1)",
    ]
    assert names_of([{**same, "lr": 0.1}, {**same, "lr": 0.2}, same]) == [
        "vgg13-vgg8 (lr 0.1)",
        "vgg13-vgg8 (lr 0.2)",
        "vgg13-vgg8",
    ]
    of_a_run: Pair = {"teacher": str(world.teacher), "student": "vgg8"}
    (named,) = names_of([of_a_run])
    assert named.endswith("-vgg8")
    assert world.teacher.name not in named


@pytest.mark.parametrize("pairs", ["resnet56", "a-b-c", "resnet56-resnet20,x", [{"teacher": "resnet56"}]])
def test_pairs_that_cannot_be_read_are_refused(pairs: str | list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="--pairs"):
        pairs_of("", "", pairs)


def test_only_given_options_of_distill_are_passed_on() -> None:
    values = {"lr": 0.3, "epochs": 7, "seeds": 5, "batch_size": 64}
    assert typed_options(values, frozenset({"lr", "seeds"})) == {"lr": 0.3}


@pytest.mark.parametrize(
    ("varied", "words"),
    [
        ([{}], "resnet56-resnet20"),
        ([{"lr": 0.1}, {"lr": 0.2}], "resnet56-resnet20"),
        ([{"student": "resnet8"}, {}], "resnet56, 2 students"),
        ([{"teacher": "vgg13"}, {}], "vgg13 and resnet56-resnet20"),
    ],
)
def test_students_that_stand_in_one_line_are_named_by_what_they_share(
    varied: list[dict[str, object]], words: str
) -> None:
    assert pairs_in_words(cells([{**PAIR, **one} for one in varied], entries("CE", None), [0], {})) == words
