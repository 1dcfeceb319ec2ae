"""The picture of latency against computation."""

from __future__ import annotations

from stillhouse.export.latency import Latency
from stillhouse.plan.candidate import Candidate
from stillhouse.plan.figure import latencies
from stillhouse.plan.speed import Speed


def candidate(name: str, macs: int, *times: tuple[int, int, float]) -> Candidate:
    found = [Speed(images, threads, Latency(ms, 2 * ms, 10)) for images, threads, ms in times]
    return Candidate(name, 1000, macs, found)


def test_a_panel_for_each_number_of_images_and_a_point_for_each_network_and_number_of_threads() -> None:
    both = [
        candidate("small", 10**6, (1, 1, 1.0), (1, 2, 0.6), (32, 1, 20.0), (32, 2, 12.0)),
        candidate("large", 10**8, (1, 1, 9.0), (1, 2, 5.0)),
    ]
    figure = latencies(both, ["small", "large"], "a machine")
    assert figure is not None
    one, many = figure.axes
    points = sorted((float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in one.lines)  # type: ignore[index, arg-type]
    assert points == [(1e6, 0.6), (1e6, 1.0), (1e8, 5.0), (1e8, 9.0)]
    assert len(many.lines) == 2
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["small", "large", "1 thread", "2 threads"]


def test_networks_whose_computation_is_not_counted_are_not_drawn() -> None:
    assert latencies([candidate("odd", 0, (1, 1, 1.0))], ["odd"], "a machine") is None
