"""SIGINT during start-up: one sentence and exit code 2, whenever it comes."""

from pathlib import Path

from tests.interrupts import interrupt


def test_interrupted_while_it_starts_a_command_says_so_in_a_sentence(tmp_path: Path) -> None:
    assert interrupt(tmp_path, times=3) == []
