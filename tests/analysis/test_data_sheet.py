"""The sheet of a data set shows the images that students are given."""

from __future__ import annotations

import pytest
import torch

from stillhouse.analysis.data_sheet import HELD_OUT, ROWS, VIEWS, chosen, rows, sizes_in_words
from stillhouse.data import Arrays, Data, from_arrays
from tests.helpers.data import quick_data


def by_class(data: Data) -> dict[int, list[bytes]]:
    """What the first epoch shows, by class."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (data.mean, data.std))
    found: dict[int, list[bytes]] = {}
    for batch in data.train.epoch(0, "cpu"):
        shown = (255 * (batch.images * std + mean)).round().to(torch.uint8).permute(0, 2, 3, 1)
        for image, label in zip(shown, batch.labels.tolist(), strict=True):
            found.setdefault(label, []).append(image.contiguous().numpy().tobytes())
    return found


@pytest.mark.parametrize("crop", ["shifted", "resized"])
def test_views_are_those_that_students_are_given(crop: str) -> None:
    data = quick_data(crop=crop)  # type: ignore[arg-type] # any of them
    given, sheet = by_class(data), rows(data)
    assert sorted(row.label for row in sheet) == [0, 1, 2, 3]
    for row in sheet:
        assert row.views is not None
        assert row.held_out is not None
        assert (len(row.views), len(row.held_out)) == (VIEWS, HELD_OUT)
        assert all(view.tobytes() in given[row.label] for view in row.views)


def test_held_out_images_are_as_evaluation_shows_them() -> None:
    data = quick_data()
    raw = {image.numpy().tobytes() for image in data.test.images}  # type: ignore[attr-defined] # in memory
    for row in rows(data):
        assert row.held_out is not None
        assert all(image.tobytes() in raw for image in row.held_out)


def test_the_largest_and_the_smallest_class_are_on_the_sheet() -> None:
    labels = chosen(torch.arange(100))
    assert len(labels) == ROWS
    assert labels == sorted(labels, reverse=True)
    assert (labels[0], labels[-1]) == (99, 0)
    assert chosen(torch.tensor([3, 9, 5])) == [1, 2, 0]


def test_a_class_without_test_images_has_an_empty_place() -> None:
    images = torch.zeros(6, 8, 8, 3, dtype=torch.uint8)
    arrays = Arrays(
        "few", "zeros", images, torch.tensor([0, 0, 0, 0, 1, 1]), images[:2], torch.tensor([0, 0]), ("a", "b")
    )
    first, second = rows(from_arrays(arrays, batch_size=2))
    assert first.held_out is not None
    assert second.held_out is None
    assert second.views is not None


def test_sizes_are_told_by_their_area() -> None:
    assert sizes_in_words([(10, 10), (5, 30), (40, 2)]) == "40x2 to 5x30 pixels, 10x10 in the middle"
    assert sizes_in_words([(10, 10)] * 3) == "10x10 pixels"
