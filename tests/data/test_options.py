"""Options of loading: their ranges, and how single ones are changed."""

from __future__ import annotations

import pytest

from stillhouse.data import LoadOptions, load


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("batch_size", 0, "--batch_size must be 1 or more, not 0"),
        ("image_size", 7, "--image_size must be 8 to 4096 pixels, not 7"),
        ("image_size", 10**30, "--image_size must be 8 to 4096 pixels, not 1000"),
        ("validation", -0.1, "--validation must be a fraction of at least 0 and below 1, not -0.1"),
        ("validation", 1.0, "--validation must be a fraction of at least 0 and below 1, not 1"),
        ("validation", float("nan"), "--validation must be a fraction of at least 0 and below 1, not nan"),
        ("train_fraction", 0.0, "--train_fraction must be above 0 and at most 1, not 0"),
        ("train_fraction", 1.5, "--train_fraction must be above 0 and at most 1, not 1.5"),
        ("train_fraction", float("nan"), "--train_fraction must be above 0 and at most 1, not nan"),
        ("rotation", -1.0, "--rotation must be 0 to 180 degrees, not -1"),
        ("rotation", 181.0, "--rotation must be 0 to 180 degrees, not 181"),
        ("rotation", float("nan"), "--rotation must be 0 to 180 degrees, not nan"),
        ("crop", "wide", "--crop must be auto, shifted, reflected, resized, none, not wide"),
        ("mean", (0.5, 0.5, 0.5), "--mean and --std belong together: give both, or neither"),
        ("workers", -1, "--workers must be 0 or more, not -1"),
    ],
)
def test_values_out_of_range_are_refused(option: str, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}"):
        LoadOptions().but(**{option: value})


def test_a_misspelt_option_gets_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"^there is no option 'batchsize'. Did you mean batch_size\?$"):
        load("digits", batchsize=3)


def test_keywords_win_over_options() -> None:
    data = load("digits", LoadOptions(batch_size=32, seed=5), batch_size=16)
    assert (data.train.batch_size, data.train.seed) == (16, 5)
