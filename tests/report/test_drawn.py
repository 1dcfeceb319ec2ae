"""Figures of a page as files."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from stillhouse.analysis.plots import style
from stillhouse.report.drawn import Drawn


def figure() -> Figure:
    found = Figure(figsize=(2, 1))
    found.subplots().plot([1, 2], color="#2b2b2b")
    return found


def test_a_figure_is_the_same_element_whether_it_is_also_a_file_or_not(tmp_path: Path) -> None:
    with style():
        alone, also = Drawn().element(figure(), "A"), Drawn(tmp_path).element(figure(), "A")
    assert alone == also
    assert "var(--ink)" in alone


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_files_have_fixed_colours_on_white(tmp_path: Path, kind: str) -> None:
    Drawn(tmp_path, [kind]).element(figure(), "Top-1, digits, a -> b")
    (file,) = tmp_path.iterdir()
    assert file.name == f"top-1-digits-a-to-b.{kind}"
    if kind == "svg":
        assert "#2b2b2b" in file.read_text()
        assert "#ffffff" in file.read_text()
        assert "var(--" not in file.read_text()


def test_titles_alike_and_titles_with_slashes_have_files_of_their_own(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, ["svg"])
    for title in ("runs/../a", "runs/../a", "b" * 400, "b" * 400):
        drawn.element(figure(), title)
    assert len({*drawn.files}) == len([*tmp_path.iterdir()]) == 4
    assert drawn.files[:2] == ["runs-..-a", "runs-..-a-2"]
