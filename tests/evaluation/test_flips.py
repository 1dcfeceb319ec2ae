"""Flips: counted one image at a time, negative ones are those that only the old network gets right."""

import pytest
import torch

from stillhouse.evaluation.flips import by_class, flips
from stillhouse.report.intervals import over_images

GENERATOR = torch.Generator().manual_seed(0)
NEW, OLD = (torch.rand(200, generator=GENERATOR) < share for share in (0.7, 0.5))
LABELS = torch.randint(4, (200,), generator=GENERATOR)


def test_flips_are_counted_by_image() -> None:
    found = flips(NEW, OLD)
    pairs = list(zip(NEW.tolist(), OLD.tolist(), strict=True))
    assert (found.positive, found.negative) == (pairs.count((True, False)), pairs.count((False, True)))
    assert (found.both, found.images) == (pairs.count((True, True)), 200)
    assert found.change == over_images(NEW, OLD)
    assert found.change.points == pytest.approx(100 * (found.positive - found.negative) / 200)
    assert found.negative_rate == found.negative / 2


def test_the_rate_lies_within_its_interval() -> None:
    low, high = flips(NEW, OLD).negative_interval
    assert low < flips(NEW, OLD).negative_rate < high


def test_classes_add_up_and_one_without_images_has_none() -> None:
    found = by_class(NEW, OLD, LABELS, 5)
    assert found[4] is None
    known = [one for one in found if one is not None]
    assert len(known) == 4
    assert sum(one.negative for one in known) == flips(NEW, OLD).negative
    assert sum(one.images for one in known) == 200
    assert known[2] == flips(NEW[LABELS == 2], OLD[LABELS == 2])
