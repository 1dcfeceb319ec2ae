"""Runs are measured on their own images elsewhere: the number they ended with, a refusal, or a note."""

import random
from pathlib import Path

from tests import elsewhere
from tests.elsewhere import Elsewhere
from tests.helpers import moved


def test_a_run_measures_the_same_on_its_images_elsewhere_or_says_why_not(tmp_path: Path) -> None:
    sample = Elsewhere(tmp_path)
    lot = random.Random(0)
    for move in (moved.parquet, moved.own_function, moved.another_name):
        sample.judge("plain", move, lot)
    for move in (moved.enlarged, moved.listed):
        sample.judge("one colour, small", move, lot)
    assert sample.problems == []
    assert sample.happened == {"the same": 4, "refused": 1}


def test_every_move_is_tried() -> None:
    tried = [move for move in elsewhere.MOVES for training in elsewhere.TRAININGS if elsewhere.may_move(training, move)]
    assert len(tried) > 100
    assert set(tried) == set(elsewhere.MOVES)
