"""Times of a network."""

from types import SimpleNamespace

import pytest
import torch

from stillhouse.export import latency as module
from stillhouse.export.latency import Latency, latency, quantile


def test_slow_calls_show_in_the_95th_percentile_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = [0.0], iter(range(10_000))

    def run(_: torch.Tensor) -> None:
        now[0] += 0.03125 if next(calls) % 10 == 0 else 0.0009765625

    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    found = latency(run, torch.zeros(2, 3), seconds=0.3)
    assert (found.p50, found.p95) == (0.9765625, 31.25)
    assert found.calls == 78  # of which 7 took all but 0.07 s of 0.3 s
    assert found.to_dict() == {"p50": found.p50, "p95": found.p95, "calls": found.calls}
    assert str(Latency(1.23456, 20.0, 5)) == "1.23 / 20"
    assert str(Latency(1234.5, 23456.7, 5)) == "1,234 / 23,457"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0), (0.75, 3.0)])
def test_quantiles_are_values_that_were_measured(share: float, expected: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == expected
