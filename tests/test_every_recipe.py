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
    names = [name for name in published() if name.startswith("cifar100/dspp")]
    assert len(every_recipe.distinct(names)) == len(names)
    assert len(every_recipe.distinct([*names, *names])) == len(names)


def test_a_recipe_that_does_nothing_to_its_student_is_found() -> None:
    options = {**find(TRIED["cifar100"]).options, "methods": "KD(weight=0)", "student": "resnet8"}
    with pytest.raises(AssertionError, match="nothing reaches the student"):
        every_recipe.step(options)
