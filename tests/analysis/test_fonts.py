"""Names are drawn in any script that a font has, and are told apart where none has it."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.font_manager import fontManager

from stillhouse.analysis import plots
from stillhouse.analysis.confusion import confusion
from stillhouse.analysis.embedded import embeddings
from stillhouse.analysis.fonts import Lettering, columns_of
from stillhouse.training.predictions import Predictions

CAT, DOG = "\N{CJK UNIFIED IDEOGRAPH-732B}", "\N{DOG FACE} dog"


@pytest.fixture(autouse=True)
def only_matplotlibs_own_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [font for font in fontManager.ttflist if "matplotlib" in font.fname]
    monkeypatch.setattr(fontManager, "ttflist", own)


def test_plain_names_stay_as_they_are_in_matplotlibs_own_font() -> None:
    letters = Lettering.of(["cat", "\N{LATIN SMALL LETTER E WITH ACUTE}mu"])
    assert letters == Lettering(("DejaVu Sans",), frozenset())
    assert letters.names(["cat", "$1$"]) == ["cat", "$1$"]


def test_another_font_is_used_for_what_the_first_lacks() -> None:
    letters = Lettering.of(["cat \u0359"])
    assert letters.families[0] == "DejaVu Sans"
    assert len(letters.families) == 2
    assert letters.missing == frozenset()


def test_a_font_of_placeholders_draws_nothing() -> None:
    assert CAT in Lettering.of([CAT]).missing


def test_names_that_no_font_has_are_told_apart_by_number() -> None:
    names = [CAT, DOG, "emu", "bad \udcff name"]
    letters = Lettering.of(names)
    assert letters.names(names) == ["? #0", "? dog #1", "emu", "bad ? name #3"]
    assert letters.text(f"resnet8 on {CAT}") == "resnet8 on ?"


def test_long_names_are_shortened() -> None:
    (name,) = Lettering.of([]).names(["a" * 30 + "b" * 30])
    assert name == "a" * 30 + "bb...bbbbb"
    assert len(name) == 40
    (wide,) = Lettering.of([]).names([CAT * 60])
    assert columns_of(wide) <= 40


def test_no_warning_and_no_formula_reaches_the_user(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [CAT, DOG, r"$\frac{1}$", "line\nbreak", "cat \u0359"]
    letters = Lettering.of(names)
    guesses = Predictions(torch.arange(5).int(), torch.ones(5), torch.arange(5).int())
    with warnings.catch_warnings(action="error"), plots.style(letters.families):
        shown = letters.names(names)
        figure = confusion({"student": guesses}, shown, "")
        plots.save(figure, tmp_path / "classes")
        points = {"student": np.random.default_rng(0).normal(size=(5, 2))}
        figure = embeddings(points, np.arange(5), dict(enumerate(shown)), "Title", "")
        plots.save(figure, tmp_path / "embeddings")
    assert len(list(tmp_path.iterdir())) == 6
    assert caplog.messages == []
