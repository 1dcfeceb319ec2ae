"""Published numbers beside ours."""

from pathlib import Path
from typing import Any

import pytest

from stillhouse.methods.parse import parse
from stillhouse.report.compare import compare
from stillhouse.report.published import published_for
from tests.helpers.finished import record


def methods(text: str) -> list[str]:
    return [str(method) for method in parse(text)]


def test_the_authors_number_is_found_with_what_was_done_otherwise(tmp_path: Path) -> None:
    run = record(tmp_path, methods("CE, AT(weight=1000)"), data="cifar100")
    found = published_for(run)
    assert found is not None
    assert (found.recipe, found.top1, found.measured) == ("cifar100/at/resnet56-resnet20", 70.55, "last")
    assert found.source.startswith("Tian et al., ICLR 2020")
    assert found.differing == ("epochs",)
    (group,) = compare([run])
    assert group.entries[0].gap == pytest.approx(60 - 70.55)


def test_other_arguments_of_the_methods_are_said(tmp_path: Path) -> None:
    found = published_for(record(tmp_path, methods("CE, AT(weight=7)"), data="cifar100", lr=0.2))
    assert found is not None
    assert set(found.differing) == {"methods", "epochs", "lr"}


def test_settings_that_a_recipe_leaves_at_their_defaults_are_said_as_well(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 240, "train_fraction": 0.2, "schedule": "cosine", "track": "wandb"}
    found = published_for(record(tmp_path, methods("CE, AT(weight=1000)"), data="cifar100", **options))
    assert found is not None
    assert set(found.differing) == {"train_fraction", "schedule"}


def test_a_best_epoch_is_compared_with_the_best_epoch(tmp_path: Path) -> None:
    text = "CE(weight=0.1), Standardized(KD(weight=9, temperature=2), unbiased=True)"
    run = record(tmp_path, methods(text), teacher="resnet32x4", student="resnet8x4", data="cifar100", top1=(77, 76))
    (group,) = compare([run])
    (entry,) = group.entries
    assert entry.published is not None
    assert (entry.published.measured, entry.published.top1) == ("last", 76.28)  # it has both
    assert entry.gap == pytest.approx(76 - 76.28)


@pytest.mark.parametrize(
    "other", [{"data": "pets"}, {"teacher": "resnet110x"}, {"student": "vgg8"}, {"methods": "CE, AT, SP"}]
)
def test_another_pair_or_method_has_none(tmp_path: Path, other: dict[str, str]) -> None:
    words = {"data": "cifar100", "methods": "CE, AT(weight=1000)", **other}
    assert published_for(record(tmp_path, methods(words.pop("methods")), **words)) is None
    assert published_for(record(tmp_path, data="cifar100")) is None


def test_a_run_is_compared_with_the_recipe_that_it_was_made_with(tmp_path: Path) -> None:
    words, pair = methods("CE(weight=0.1), KD(weight=0.9)"), {"teacher": "resnet32x4", "student": "resnet8x4"}
    by_hand = published_for(record(tmp_path, words, data="cifar100", **pair))
    named = published_for(
        record(tmp_path, words, data="cifar100", recipe=f"cifar100/kd@semckd/{'-'.join(pair.values())}", **pair)
    )
    assert by_hand is not None
    assert named is not None
    assert by_hand.recipe == "cifar100/kd/resnet32x4-resnet8x4"
    assert named.recipe == "cifar100/kd@semckd/resnet32x4-resnet8x4"
