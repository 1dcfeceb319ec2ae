"""The whole training of a student, from the parts of its steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stillhouse.methods import AT, CE, KD
from stillhouse.plan.courses import Cache, Course, cache_of
from stillhouse.plan.pace import Pace
from stillhouse.training.cache.store import CacheStore
from tests.helpers.data import quick_data
from tests.helpers.training import teacher_net, trainer

PACE = Pace(4.0, {"CE": 1.0, "KD": 2.0}, 10, reading=1.0, evaluations={"CE": 3.0, "KD": 3.0})


def test_everything_is_counted() -> None:
    course = Course("net", PACE, {"CE": 0, "KD": 0}, examined=5.0)
    assert course.seconds(4) == 5 + 4 * (10 * (4 + 1 + 2 + 1) + 6)
    assert replace(course, seeds=3).seconds(4) == 3 * course.seconds(4)
    first = Pace(0.0, {"by itself": 6.0}, 10, evaluations={"by itself": 7.0})
    assert replace(course, teacher=first, seeds=3).seconds(4) == 3 * course.seconds(4) + 4 * (60 + 7)
    warmed = replace(course, warmups={"CE": 0, "KD": 2})
    assert warmed.seconds(4) == course.seconds(4) + 2 * (10 * (4 + 2 + 1) + 3)


def test_a_cache_saves_the_outputs_that_are_needed_again() -> None:
    cache = Cache(views=2)
    assert cache.computed(1) == 1
    assert cache.computed(2) == pytest.approx(0.75)  # half of the second epoch's views are those of the first
    assert Cache(2, "why not").computed(100) == 1
    course = Course("net", PACE, {"CE": 0, "KD": 0}, cache=cache)
    assert course.seconds(2, cached=False) - course.seconds(2) == pytest.approx(2 * 10 * 4 * 0.25)


def test_the_share_that_is_computed_is_that_of_random_views() -> None:
    views, epochs = 18, 30
    drawn = torch.randint(views, (20_000, epochs), generator=torch.Generator().manual_seed(0))
    different = torch.tensor([len(row.unique()) for row in drawn[:2000]]).double().mean() / epochs
    assert Cache(views).computed(epochs) == pytest.approx(different.item(), rel=0.01)


def test_why_there_is_no_cache_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    data, teacher = quick_data(), teacher_net().eval()
    store = CacheStore(tmp_path / "cache")
    kd = trainer([CE(), KD()], teacher, tmp_path, "kd")
    assert cache_of(teacher, [kd], data, None, 3).obstacle == "--teacher_cache is off"
    assert "needed twice" in str(cache_of(teacher, [kd], data, store, 3).obstacle)
    assert cache_of(teacher, [kd], data, store, 300) == Cache(data.train.num_views or 0)
    at = trainer([CE(), AT()], teacher, tmp_path, "at")
    assert "only vectors can be cached" in str(cache_of(teacher, [at], data, store, 300).obstacle)
    alone = trainer([CE()], None, tmp_path, "alone")
    assert cache_of(teacher, [alone], data, store, 300).obstacle == "no student has a teacher"
    assert list(tmp_path.iterdir()) == []
