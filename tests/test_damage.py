"""Damaged files of runs and caches: one sentence, in time, and nothing on disk changed."""

import random
from pathlib import Path

from tests.damage import READ_BY, Damage


def test_no_command_believes_a_damaged_file(tmp_path: Path) -> None:
    damage = Damage(tmp_path)
    random.Random(3).shuffle(READ_BY)  # each time the same few
    damage.go(5, random.Random(5))
    assert damage.problems == []
    assert damage.happened.total() == 5
