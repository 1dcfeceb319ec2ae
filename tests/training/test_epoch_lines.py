"""Lines of epochs: equally long columns whatever the names and numbers, on every screen."""

import pytest

from stillhouse.training.epoch_lines import Columns, in_words, largest

LONG = "timm:vit_large_patch14_clip_quickgelu_378.dfn5b_ft_in1k CE+KD+AT"
TERMS = {"CE": 2.3, "KD": 0.4512, "AT": 123456.0, "ScaleDecoupled": 1234.5, "FitNet": 1e-7, "SpotAdaptive": -5.0}


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_every_line_fits_the_screen_and_its_columns(width: int, count: int) -> None:
    columns = Columns.fitting(width, ["resnet8 by itself", LONG])
    terms = dict(list(TERMS.items())[:count])
    long = columns.line(LONG, "240/240", terms, 100.0, 100.0, 86400.0, "9:59:59")
    short = columns.line("resnet8 by itself", "1/2", {"CE": 1.0}, 5.0, None, 1.5, "0:00")
    assert len(long) == len(short) == len(columns.heading())
    assert len(long) <= max(width, 69)
    assert long.endswith("9:59:59")
    assert long.startswith(LONG[:3])


def test_a_file_has_whole_names() -> None:
    columns = Columns.fitting(None, [LONG, "s"])
    assert columns.line(LONG, "1/2", TERMS, 1.0, None, 3.0, "0:03").startswith(f"{LONG}  ")
    assert columns.heading().split() == ["epoch", "largest", "losses", *["top-1", "%", "agree", "%", "seconds", "left"]]


def test_the_largest_terms_are_shown_in_their_usual_order() -> None:
    assert list(largest(TERMS)) == ["AT", "ScaleDecoupled"]
    assert list(largest({"CE": 2.0, "KD": -3.0, "AT": 1.0})) == ["CE", "KD"]
    assert list(largest({"CE": 2.0})) == ["CE"]


def test_numbers_are_short() -> None:
    assert in_words({"CE": 2.0, "KD": 0.00001234, "AT": 0.001, "SP": 1234.0}) == (
        "CE 2.000  KD 1.2e-05  AT 0.001000  SP 1234"
    )
