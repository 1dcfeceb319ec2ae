"""Tables in words: on the terminal, in Markdown, in LaTeX."""

import re
from pathlib import Path

import pytest

from stillhouse.report.compare import compare
from stillhouse.report.intervals import Difference
from stillhouse.report.tables import difference_cell, grid_of, latex, markdown, printed, table_of
from tests.helpers.commands import printed as lines
from tests.helpers.finished import CE, KD, record


def test_the_terminal_shows_every_seed_and_what_it_gained(tmp_path: Path) -> None:
    runs = [record(tmp_path, seed=seed, top1=(50, 60 + seed)) for seed in (0, 1)]
    runs += [record(tmp_path, [CE, KD], seed, (50, 61 + 1.1 * seed)) for seed in (0, 1)]
    title, headings, _, base, taught = lines(table_of(runs))
    assert title.strip() == "pets: resnet56 -> resnet20"
    assert re.split(r"  +", headings.strip()) == [
        *("method", "n", "top-1 %", "each seed", "vs CE", "best %", "time", "parameters", "MACs"),
    ]
    assert re.split(r"  +", base.strip())[:5] == ["CE", "2", "60.50 +- 0.71", "60.00", "61.00"]
    assert "+1.05 [+0.41, +1.69]" in taught  # 12.706 * 0.05
    assert "278,324" in taught
    assert "41.0 M" in taught


def test_it_is_said_if_the_best_epoch_is_of_validation_images(tmp_path: Path) -> None:
    held_out = {"best_measured_on": "validation"}
    runs = [record(tmp_path / "all", methods, result=held_out) for methods in ([CE], [CE, KD])]
    assert "best % is of the best epoch on the validation images" in grid_of(compare(runs)[0]).notes
    assert not any("best %" in note for note in grid_of(compare([record(tmp_path / "none")])[0]).notes)


def test_several_groups_share_a_table(tmp_path: Path) -> None:
    runs = [record(tmp_path, [CE, KD], lr=lr) for lr in (0.1, 0.2)] + [record(tmp_path, lr=0.1)]
    text = "\n".join(lines(table_of(runs)))
    assert "pets: resnet56 -> resnet20 (lr 0.1)" in text
    assert "pets: resnet56 -> resnet20 (lr 0.2)" in text
    assert text.count("CE + KD") == 2
    narrow = " ".join(" ".join(lines(table_of(runs), 30)).split())
    assert all(f"pets: resnet56 -> resnet20 (lr {lr})" in narrow for lr in (0.1, 0.2))


def test_only_what_is_outside_the_noise_is_bold() -> None:
    clear, noise = Difference({0: 1.0, 1: 1.1}, 0.4, 1.7), Difference({0: 1.0, 1: -1.1}, -14.0, 13.0)
    one, equal = Difference({0: 1.0}, None, None), Difference({0: 0.0, 1: 0.0}, 0.0, 0.0)
    cells = [difference_cell(found) for found in (clear, noise, one, equal, None)]
    assert [cell.is_bold for cell in cells] == [True, False, False, False, False]
    assert [cell.text for cell in cells] == [
        *("+1.05 [+0.40, +1.70]", "-0.05 [-14.00, +13.00]", "+1.00 (n = 1)", "0 (equal, n = 2)", ""),
    ]


STRANGE = "a|b_<i>$5%\\{x}^~\x1b[31m"


@pytest.fixture
def strange(tmp_path: Path) -> str:
    return markdown([grid_of(group) for group in compare([record(tmp_path, [CE, KD], data=STRANGE)])])


def test_names_stay_names_in_markdown(strange: str) -> None:
    assert "a\\|b\\_&lt;i&gt;\\$5%\\\\\\{x\\}^\\~\\\\x1b\\[31m" in strange
    rows = [line for line in strange.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_names_stay_names_in_latex(tmp_path: Path) -> None:
    text = latex([grid_of(group) for group in compare([record(tmp_path, [CE, KD], data=STRANGE)])])
    escaped = r"a\textbar{}b\_\textless{}i\textgreater{}\$5\%\textbackslash{}\{x\}\textasciicircum{}\textasciitilde{}"
    assert escaped in text
    assert text.count(r"\begin{") == text.count(r"\end{") == 2


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    (group,) = compare([record(tmp_path, [CE, KD], data=STRANGE)])
    assert "\x1b" not in "".join(lines(printed([grid_of(group)])))


def test_bold_is_written_in_either_language(tmp_path: Path) -> None:
    runs = [record(tmp_path, seed=seed, top1=[60 + seed]) for seed in (0, 1)]
    runs += [record(tmp_path, [CE, KD], seed, [61 + 1.1 * seed]) for seed in (0, 1)]
    grids = [grid_of(group) for group in compare(runs)]
    assert "| **+1.05 \\[+0.41, +1.69\\]** |" in markdown(grids)
    assert r"\textbf{+1.05 [+0.41, +1.69]}" in latex(grids)


def test_the_recipe_of_a_method_has_a_column_where_one_was_given(tmp_path: Path) -> None:
    runs = [record(tmp_path), record(tmp_path, [CE, KD], recipe="cifar100/kd/resnet56-resnet20")]
    (grid,) = [grid_of(group) for group in compare(runs)]
    assert [row[grid.headings.index("recipe")].text for row in grid.rows] == ["", "cifar100/kd/resnet56-resnet20"]
    (plain,) = [grid_of(group) for group in compare([record(tmp_path / "other")])]
    assert "recipe" not in plain.headings
