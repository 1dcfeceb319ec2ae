from __future__ import annotations

import unicodedata

import pytest
import torch

from stillhouse.data.splits import (
    check_fraction,
    choose_held_out,
    draws,
    held_out_by_name,
    name_keys,
    split_of,
    split_within,
)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", "train Training TRAIN train_set train-images trn trainset Train_Data train2017 trainval"),
        ("validation", "val valid Validation dev eval val_set VALID validation_images dev1"),
        ("test", "test Testing test_set testset TEST tst test1 test-images holdout"),
        (None, "trains trainstation bullet_train testtube contest cat develop_ment_of valley 1 data unlabeled"),
    ],
)
def test_splits_are_recognised_by_the_words_people_use(split: str | None, names: str) -> None:
    assert {name: split_of(name) for name in names.split()} == dict.fromkeys(names.split(), split)


def test_full_width_letters_and_blanks_do_not_matter() -> None:
    assert split_of("\uff54rain") == split_of("Train Set") == "train"


def test_a_prefix_before_a_split_is_found() -> None:
    assert split_within("seg_train") == ("seg", "train")
    assert split_within("Seg-Test") == ("seg", "test")
    assert split_within("train_cats") == ("cats", "train")
    assert [split_within(name) for name in ("train", "train_set", "cat", "train_test")] == [None] * 4


def test_choose_on_validation_and_measure_on_test() -> None:
    assert choose_held_out({"train": 0, "validation": 1, "test": 2}) == (2, 1)
    assert choose_held_out({"train": 0, "validation": 1}) == (1, None)
    assert choose_held_out({"train": 0, "test": 2}) == (2, None)
    assert choose_held_out({"train": 0}) == (None, None)


def names(count: int, letter: str = "i") -> list[str]:
    return [f"cat/{letter}{number}.png" for number in range(count)]


def test_adding_images_moves_none() -> None:
    before, more = names(200), names(100, "new")
    kept, held_out = held_out_by_name(name_keys(before), torch.zeros(200, dtype=torch.int64))
    mixed = sorted(before + more)
    now_kept, now_held_out = held_out_by_name(name_keys(mixed), torch.zeros(300, dtype=torch.int64))
    assert 20 <= len(held_out) <= 60
    assert {before[i] for i in held_out} <= {mixed[i] for i in now_held_out}
    assert {before[i] for i in kept} <= {mixed[i] for i in now_kept}


def test_both_sides_partition_the_images_in_order() -> None:
    kept, held_out = held_out_by_name(name_keys(names(50)), torch.arange(50) % 3)
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(50))
    assert torch.equal(kept.sort().values, kept)
    assert torch.equal(held_out.sort().values, held_out)


@pytest.mark.parametrize("fraction", [0.001, 0.2, 0.999])
def test_a_class_of_two_keeps_one_and_holds_out_one(fraction: float) -> None:
    labels = torch.tensor([0, 0, 1, 1, 1, 2])
    for start in range(20):
        kept, held_out = held_out_by_name(name_keys(names(6, f"{start}-")), labels, fraction)
        assert set(labels[kept].tolist()) == {0, 1, 2}
        assert set(labels[held_out].tolist()) == {0, 1}


def test_a_tiny_class_may_only_lose_a_test_image_to_training() -> None:
    """Where none was below the fraction, the nearest is held out; one that is below it later takes its place."""
    for start in range(50):
        few, more = names(3, f"{start}-"), names(30, f"{start}+")
        labels = torch.zeros(33, dtype=torch.int64)
        if bool((draws(name_keys(few), 0) < 0.2).all()):
            continue
        kept, _ = held_out_by_name(name_keys(few), labels[:3])
        now_kept, _ = held_out_by_name(name_keys(few + more), labels)
        assert set(kept.tolist()) <= set(now_kept.tolist())


def test_the_seed_and_the_fraction_decide_which() -> None:
    keys, labels = name_keys(names(400)), torch.zeros(400, dtype=torch.int64)
    one, other = (set(held_out_by_name(keys, labels, 0.25, seed)[1].tolist()) for seed in (0, 1))
    assert 70 < len(one) < 130
    assert 10 < len(one & other) < 45  # a sixteenth of 400, by chance
    assert one < set(held_out_by_name(keys, labels, 0.5, 0)[1].tolist())


def test_draws_are_spread_evenly_and_never_change() -> None:
    drawn = draws(name_keys(names(10_000)), 3)
    assert bool(((drawn >= 0) & (drawn < 1)).all())
    assert drawn.histc(10, 0, 1).tolist() == pytest.approx([1000] * 10, rel=0.12)
    assert draws(name_keys(["cat/1.png"]), 0).tolist() == [pytest.approx(DRAW_OF_CAT_1, abs=1e-15)]


DRAW_OF_CAT_1 = 0.3447097353639016  # of every version: another number would move images between training and test sets


def test_unicode_forms_of_a_name_are_one_name() -> None:
    composed, split = (unicodedata.normalize(form, "café/1.png") for form in ("NFC", "NFD"))
    assert composed != split
    assert torch.equal(name_keys([composed]), name_keys([split]))
    assert len(name_keys(["caf\udce9/1.png"])) == 1  # bytes that are no UTF-8


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, for example 0.1, not {fraction}"):
        check_fraction(fraction)
