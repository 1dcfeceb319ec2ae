"""Times of a network."""

import time

import pytest
import torch

from stillhouse.export.latency import Latency, latency, quantile


def test_slow_calls_show_in_the_95th_percentile_only() -> None:
    calls = iter(range(10_000))
    images = torch.zeros(2, 3)
    found = latency(lambda _: time.sleep(0.03 if next(calls) % 10 == 0 else 0.001), images, seconds=0.3)
    assert 1 <= found.p50 < 20
    assert found.p95 >= 30
    assert found.calls >= 10
    assert found.to_dict() == {"p50": found.p50, "p95": found.p95, "calls": found.calls}
    assert str(Latency(1.23456, 20.0, 5)) == "1.23 / 20"
    assert str(Latency(1234.5, 23456.7, 5)) == "1,234 / 23,457"


@pytest.mark.parametrize(("share", "expected"), [(0.5, 2.0), (0.95, 4.0), (0.0, 1.0), (0.75, 3.0)])
def test_quantiles_are_values_that_were_measured(share: float, expected: float) -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], share) == expected
