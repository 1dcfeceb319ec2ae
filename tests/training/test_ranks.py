"""Ranks as torchrun names them."""

import pytest

from stillhouse.training import ranks


def test_a_process_by_itself_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (ranks.number(), ranks.local_rank(), ranks.is_first(), ranks.several()) == (0, 0, True, False)


def test_torchrun_gives_a_process_its_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert (ranks.number(), ranks.local_rank(), ranks.is_first(), ranks.several()) == (5, 1, False, True)
