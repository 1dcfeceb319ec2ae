"""Images of any shape made square, the three ways."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stillhouse.data.pixels.square import DETAIL, LONGEST, Resize, fit, for_random_crops, middle

GREEN = (0, 255, 0)


def ends(width: int = 30, height: int = 10) -> Tensor:
    """Grey, with a white left third and a black right one: (3, H, W)"""
    image = torch.full((3, height, width), 128, dtype=torch.uint8)
    image[:, :, : width // 3] = 255
    image[:, :, -(width // 3) :] = 0
    return image


@pytest.mark.parametrize(
    ("resize", "left", "right", "above"),
    [
        ("crop", [128] * 3, [128] * 3, [128] * 3),
        ("squash", [255] * 3, [0] * 3, [128] * 3),
        ("pad", [255] * 3, [0] * 3, GREEN),
    ],
)
def test_what_of_a_wide_image_is_kept(resize: Resize, left: list[int], right: list[int], above: list[int]) -> None:
    square = fit(ends(), 30, resize, GREEN)
    assert square.shape == (3, 30, 30)
    assert square[:, 15, 1].tolist() == left
    assert square[:, 15, -2].tolist() == right
    assert square[:, 1, 15].tolist() == list(above)
    assert torch.equal(fit(ends().transpose(1, 2), 30, resize, GREEN), square.transpose(1, 2))


@pytest.mark.parametrize("resize", ["crop", "squash", "pad"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (3000, 1), (1, 50), (7, 7), (64, 64)])
def test_every_shape_becomes_a_square(resize: Resize, width: int, height: int) -> None:
    assert fit(torch.zeros(3, height, width, dtype=torch.uint8), 16, resize, GREEN).shape == (3, 16, 16)


def test_a_square_of_that_size_is_left_as_it_is() -> None:
    image = torch.randint(256, (3, 16, 16), dtype=torch.uint8)
    assert all(torch.equal(fit(image, 16, resize, GREEN), image) for resize in ("crop", "squash", "pad"))


def test_random_crops_are_taken_from_the_image_itself_or_from_its_square() -> None:
    image = ends(3000, 1000)
    assert torch.equal(for_random_crops(image, 20, "crop", GREEN), image)
    assert for_random_crops(image, 20, "squash", GREEN).shape == (3, 20 * DETAIL, 20 * DETAIL)
    assert for_random_crops(ends(30, 10), 20, "pad", GREEN).shape == (3, 30, 30)
    assert for_random_crops(ends(12, 10), 20, "pad", GREEN).shape == (3, 20, 20)


def test_of_a_long_strip_the_middle_is_used() -> None:
    assert middle(torch.zeros(3, 2, 1000)).shape == (3, 2, 2 * LONGEST)
    assert middle(torch.zeros(3, 1000, 2)).shape == (3, 2 * LONGEST, 2)
    assert middle(torch.zeros(3, 2, 2 * LONGEST)).shape == (3, 2, 2 * LONGEST)
    numbered = torch.arange(101)[None, None].expand(3, 1, 101)
    assert middle(numbered)[0, 0].tolist() in ([*range(46, 54)], [*range(47, 55)])
