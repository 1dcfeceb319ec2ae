"""Actions are timed one by one, slow ones on fewer images."""

from __future__ import annotations

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.plan.twins import Timed
from tests.helpers.clock import Clock
from tests.helpers.data import quick_data

CPU = torch.device("cpu")


def batch(images: int = 32) -> Batch:
    return next(iter(quick_data(images, images=images).train.epoch(0, CPU)))


def test_seconds_are_a_mean_in_which_no_step_counts_for_more_than_three(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    timed = Timed(clock.passing(iter([1.0, 2.0, 2.0, 2.0, 99.0])), [batch()], CPU, 32)
    for _ in range(5):
        timed.once()
    assert timed.times == [1, 2, 2, 2, 99]
    assert timed.seconds == (1 + 2 + 2 + 2 + 6) / 5


def test_what_is_slow_is_timed_on_fewer_images_and_its_time_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def act(batch: Batch) -> None:
        clock.now += 0.1 * len(batch.labels)

    whole = batch()
    timed = Timed.begun(act, [whole], CPU, longest=1.0)
    assert timed.images == len(whole.labels) // 4
    timed.once()
    assert timed.seconds == pytest.approx(0.1 * len(whole.labels))
    assert Timed.begun(act, [whole], CPU, longest=100.0).images == len(whole.labels)
