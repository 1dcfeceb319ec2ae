"""The cell that validation images choose, and who is looked at with test images."""

import csv
import dataclasses

from stillhouse.grid.halving import Stop
from stillhouse.grid.scores import chosen, csv_of, scored, table, undecided
from tests.grid.runs import looked_at, made_up
from tests.helpers.commands import printed


def test_the_best_mean_of_the_last_epochs_is_chosen_of_equal_ones_the_first() -> None:
    cells = [made_up({"lr": 1}, 50, 60), made_up({"lr": 2}, 70, 61), made_up({"lr": 3}, 61, 70)]
    assert chosen(cells) is cells[1]
    assert chosen([made_up({"lr": 1}, 50, 60), made_up({"lr": 2}, 99, None)]) is not None
    assert chosen([made_up({"lr": 2}, 99, None)]) is None


def test_of_equal_ones_it_is_said_that_the_first_was_taken_and_why() -> None:
    thirds = (70.1, 70.2, 70.3)
    cells = [made_up({"lr": 1}, 50, 60, 70), made_up({"lr": 2}, *thirds), made_up({"lr": 3}, *reversed(thirds))]
    failed, stopped = made_up({"lr": 4}, 99, 99, None), dataclasses.replace(cells[1], stop=Stop(3, {0: 70.2}))
    assert chosen([*cells, failed, stopped]) is chosen([cells[1], cells[0]]) is cells[1]
    assert chosen([cells[2], cells[1]]) is cells[2]  # though their means differ by rounding
    assert undecided([*cells, failed, stopped]) == (
        "2 settings are equally good on the validation images, 70.20 % each; the first of them in the table is chosen, "
        "lr=2, because nothing that was measured tells them apart; more --seeds or a larger --validation may"
    )
    assert undecided(cells[:2]) is undecided([failed]) is undecided([]) is None


def test_a_table_shows_every_seed_and_no_test_image() -> None:
    cells = [made_up({"lr": 1}, 50, 60), made_up({"lr": 2}, 70, 61), made_up({"lr": 3}, 61, None)]
    lines = printed(table(cells, chosen(cells), test=False))
    assert lines[2].split() == ["1", "55.00", "50.00", "60.00"]
    assert lines[3].split() == ["2", "65.50", "70.00", "61.00", "chosen"]
    assert lines[4].split() == ["3", "failed", "61.00", "failed"]
    assert not any(looked_at(one) for one in cells)
    assert "not for choosing" in "".join(printed(table(cells, None, test=True)))


def test_the_file_has_the_test_images_of_the_chosen_cell_only_or_of_all() -> None:
    cells = [made_up({"lr": 1}, 50, 60), made_up({"lr": 2}, 70, 61), made_up({"lr": 3}, 61, None)]
    rows = list(csv.reader(csv_of(cells, cells[1], test=False).decode().splitlines()))
    assert rows[0] == ["lr", "seed", "validation_top1", "chosen", "test_top1", "run"]
    assert [row[4] for row in rows[1:]] == ["", "", "35.0", "30.5", "", ""]
    assert rows[6][:5] == ["3", "1", "", "", ""]
    assert [looked_at(one) for one in cells] == [False, True, False]
    rows = list(csv.reader(csv_of(cells, cells[1], test=True).decode().splitlines()))
    assert [row[4] for row in rows[1:]] == ["25.0", "30.0", "35.0", "30.5", "30.5", ""]


def test_a_cell_that_was_stopped_is_never_chosen_and_never_tested() -> None:
    stopped = dataclasses.replace(made_up({"lr": 2}, 99), stop=Stop(3, {0: 70.0}))  # finished by another command
    cells = [made_up({"lr": 1}, 50.0), stopped]
    assert chosen(cells) is cells[0]
    assert chosen([stopped]) is None
    lines = printed(table(cells, cells[0], test=True))
    assert lines[3].split() == ["2", "(70.00)", "stopped", "after", "3", "epochs"]
    rows = list(csv.reader(csv_of(cells, cells[0], test=True).decode().splitlines()))
    assert rows[0][-3:] == ["stopped_after", "stopped_top1", "run"]
    assert [row[:-1] for row in rows[1:]] == [
        ["1", "0", "50.0", "yes", "25.0", "", ""],
        ["2", "0", "", "", "", "3", "70.0"],
    ]
    assert not looked_at(stopped)


def test_no_cell_without_students() -> None:
    assert scored({}, {}, {}, {}) == []
