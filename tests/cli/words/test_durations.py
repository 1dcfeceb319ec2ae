"""Durations as typed."""

import pytest

from stillhouse.cli.words.durations import read_milliseconds, read_seconds


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("2h", 7200), ("1h30m", 5400), ("1h 30 min", 5400), ("45min", 2700), ("90s", 90), ("0.5h", 1800), ("1D", 86400)],
)
def test_a_budget_is_read_with_its_units(typed: str, seconds: float) -> None:
    assert read_seconds("--budget", typed) == seconds


@pytest.mark.parametrize("typed", ["90", "", "h", "2 hours", "-1h", "1h-", "0m", "nan", "1e9h", "999d", "m1", "1h30"])
def test_a_budget_that_could_mean_something_else_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="--budget must be"):
        read_seconds("--budget", typed)


@pytest.mark.parametrize(
    ("typed", "milliseconds"),
    [("5ms", 5), ("5 ms", 5), ("0.005s", 5), ("5", 5), (5, 5), (5.5, 5.5), (".5ms", 0.5), ("800us", 0.8), ("5MS", 5)],
)
def test_a_latency_is_of_milliseconds(typed: str | float, milliseconds: float) -> None:
    assert read_milliseconds("--max_latency", typed) == pytest.approx(milliseconds)


@pytest.mark.parametrize("typed", ["0", "-5ms", "5m", "fast", "nan", "1e400", "5 ms ms", ""])
def test_a_latency_that_cannot_be_one_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="--max_latency must be"):
        read_milliseconds("--max_latency", typed)
