"""One recipe of each data set takes a step; `python -m tests.every_recipe` tries all of them, by hand."""

import pytest

from stillhouse.report.recipes import find, published
from tests import every_recipe

TRIED = {
    "cifar10": "cifar10/sp@guan/wrn_40_2-wrn_16_2",
    "cifar100": "cifar100/dspp+kd/resnet56-resnet20",
    "cinic10": "cinic10/ofd@guan/shufflenetV2_1.0-shufflenetV2_0.5",
    "cub200": "cub200/sd-dkd/resnet32x4-ShuffleV1",
    "imagenet": "imagenet/kd/resnet34-resnet18",
    "tiny_imagenet": "tiny_imagenet/at+sakd/resnet56-resnet20",
}


@pytest.mark.parametrize("name", TRIED.values(), ids=TRIED)
def test_a_recipe_takes_a_step(name: str) -> None:
    every_recipe.step(find(name).options)


def test_every_data_set_of_the_recipes_is_among_them() -> None:
    assert {name.partition("/")[0] for name in published()} == set(TRIED)


def test_recipes_with_the_same_step_are_tried_once() -> None:
    """Two batch sizes of one method on one pair are one step, two settings of its methods are two."""
    named = {name: recipe.options for name, recipe in published().items() if name.startswith("cifar100/dspp")}
    assert len(every_recipe.distinct(named)) == len(named)
    again = {f"{name} again": {**options, "batch_size": 7} for name, options in named.items()}
    assert len(every_recipe.distinct(named | again)) == len(named)


def test_slices_hold_every_recipe_once() -> None:
    cases: list[every_recipe.Case] = [(str(number), {}) for number in range(11)]
    parts = [every_recipe.part_of(cases, f"{number}/4") for number in range(1, 5)]
    assert [case for part in parts for case in part] == cases
    assert all(2 <= len(part) <= 3 for part in parts)


def test_a_cell_of_the_mission_without_a_recipe_takes_a_step() -> None:
    cells = every_recipe.of_mission()
    name = "tiny_imagenet/nst/resnet56-resnet20"
    assert cells[name]["methods"] == "CE, NST(weight=50)"
    every_recipe.step(cells[name])


def test_a_recipe_that_does_nothing_to_its_student_is_found() -> None:
    options = {**find(TRIED["cifar100"]).options, "methods": "KD(weight=0)", "student": "resnet8"}
    with pytest.raises(AssertionError, match="nothing reaches the student"):
        every_recipe.step(options)
