"""Progress of something long, in plain lines."""

import pytest

from stillhouse.cli.summary.counting import counting
from stillhouse.training.progress import Display


def test_lines_say_how_much_is_left_counted_from_where_it_began(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("stillhouse.cli.summary.counting.time.perf_counter", lambda: clock[0])
    with counting(Display(), "outputs", 2000) as done:
        for seconds, count in ((0.0, 1000), (30.0, 1050), (61.0, 1100), (90.0, 1150), (130.0, 1500)):
            clock[0] = seconds
            done(count)
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert lines == [["1,100 of 2,000 outputs", "9:09 left"], ["1,500 of 2,000 outputs", "2:10 left"]]
