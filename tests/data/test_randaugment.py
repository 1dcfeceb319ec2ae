"""The operations of the strong view, against Pillow's, and the draws behind them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from torch import Tensor

from stillhouse.data.randaugment import OPERATIONS, AugmentParams, cut_out, strengthen
from stillhouse.rng import stream

Picture = Image.Image
AFFINE = Image.Transform.AFFINE

# As FixMatch and MLKD have them: names of ours, and what Pillow does for them.
PILLOW: dict[str, Callable[[Picture, float], Picture]] = {
    "identity": lambda image, value: image,
    "auto_contrast": lambda image, value: ImageOps.autocontrast(image),
    "equalize": lambda image, value: ImageOps.equalize(image),
    "posterize": lambda image, value: ImageOps.posterize(image, int(value)),
    "solarize": lambda image, value: ImageOps.solarize(image, value),  # type: ignore[arg-type] # any number will do
    "brightness": lambda image, value: ImageEnhance.Brightness(image).enhance(value),
    "colour": lambda image, value: ImageEnhance.Color(image).enhance(value),
    "contrast": lambda image, value: ImageEnhance.Contrast(image).enhance(value),
    "sharpness": lambda image, value: ImageEnhance.Sharpness(image).enhance(value),
    "shear_x": lambda image, value: image.transform(image.size, AFFINE, (1, value, 0, 0, 1, 0)),
    "shear_y": lambda image, value: image.transform(image.size, AFFINE, (1, 0, 0, value, 1, 0)),
    "translate_x": lambda image, value: image.transform(image.size, AFFINE, (1, 0, value * image.width, 0, 1, 0)),
    "translate_y": lambda image, value: image.transform(image.size, AFFINE, (1, 0, 0, 0, 1, value * image.width)),
    "rotate": lambda image, value: image.rotate(value),
}
RANGES = {
    "posterize": (4, 8),
    "solarize": (0, 256),
    **dict.fromkeys(("brightness", "colour", "contrast", "sharpness"), (0.05, 0.95)),
    **dict.fromkeys(("shear_x", "shear_y", "translate_x", "translate_y"), (-0.3, 0.3)),
    "rotate": (-30, 30),
}


def pictures(count: int, size: int) -> Tensor:
    """Some with little contrast, one of one colour, one of two: (count, 3, S, S) uint8"""
    draw = torch.Generator().manual_seed(size)
    centres, spreads = (torch.rand(count, 3, 1, 1, generator=draw) for _ in range(2))
    images = 60 + 140 * centres + 60 * spreads * torch.randn(count, 3, size, size, generator=draw)
    images[0], images[1], images[1, :, ::3] = 77, 9, 3
    return images.clamp(0, 255).to(torch.uint8)


def by_pillow(images: Tensor, act: Callable[[int, Picture], Picture]) -> Tensor:
    """Each image by itself"""
    changed = [act(i, Image.fromarray(image.permute(1, 2, 0).numpy())) for i, image in enumerate(images)]
    return torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in changed])


def cut_by_pillow(image: Picture, hole: list[float]) -> Picture:
    side, x, y = 0.5 * hole[0] * image.width, hole[1] * image.width, hole[2] * image.width
    left, top = (int(max(0, centre - side / 2)) for centre in (x, y))
    right, bottom = (min(image.width, start + side) for start in (left, top))
    image = image.copy()
    ImageDraw.Draw(image).rectangle((left, top, right, bottom), (125, 123, 114))
    return image


def test_there_are_fourteen_operations() -> None:
    assert {operation.apply.__name__ for operation in OPERATIONS} == PILLOW.keys()
    for operation in OPERATIONS:
        assert (operation.low, operation.high) == RANGES.get(operation.apply.__name__, (0, 0))


@pytest.mark.parametrize("size", [8, 32, 33])
@pytest.mark.parametrize("name", PILLOW)
def test_operations_are_pillows(name: str, size: int) -> None:
    images, (low, high) = pictures(40, size), RANGES.get(name, (0, 0))
    magnitudes = torch.linspace(low, high - 1e-9, 40, dtype=torch.float64)
    apply = next(operation.apply for operation in OPERATIONS if operation.apply.__name__ == name)
    expected = by_pillow(images, lambda i, image: PILLOW[name](image, magnitudes[i].item()))
    assert torch.equal(apply(images, magnitudes), expected)


def test_the_hole_is_pillows() -> None:
    images, holes = pictures(200, 32), torch.rand(200, 3, dtype=torch.float64, generator=stream(0, "holes"))
    expected = by_pillow(images, lambda i, image: cut_by_pillow(image, holes[i].tolist()))
    assert torch.equal(cut_out(images, holes), expected)


def test_two_operations_and_a_hole_for_each_image() -> None:
    images, augment_params = pictures(100, 32), AugmentParams.draw(100, stream(0, "lots"))

    def strengthened(i: int, image: Picture) -> Picture:
        for number, drawn in zip(
            augment_params.operations[i].tolist(), augment_params.magnitudes[i].tolist(), strict=True
        ):
            name = OPERATIONS[number].apply.__name__
            low, high = RANGES.get(name, (0, 0))
            image = PILLOW[name](image, low + (high - low) * drawn)
        return cut_by_pillow(image, augment_params.holes[i].tolist())

    expected = by_pillow(images, strengthened)
    assert torch.equal(strengthen(images, augment_params), expected)
    some = torch.tensor([41, 3, 99])
    assert torch.equal(strengthen(images[some], augment_params[some]), expected[some])  # whoever else is in the batch


def test_the_image_itself_stays_as_it_is() -> None:
    images = pictures(30, 32)
    before = images.clone()
    strengthen(images, AugmentParams.draw(30, stream(0, "lots")))
    assert torch.equal(images, before)


def test_draws_are_uniform() -> None:
    augment_params = AugmentParams.draw(14 * 1000, stream(3, "lots"))
    for drawn in augment_params.operations.T:
        counts = drawn.bincount(minlength=14).double()
        assert float(((counts - 1000).square() / 1000).sum()) < 13 + 4 * 26**0.5  # chi-squared, 4 deviations
    pairs = (14 * augment_params.operations[:, 0] + augment_params.operations[:, 1]).bincount(minlength=196).double()
    assert float(((pairs - 14000 / 196).square() / (14000 / 196)).sum()) < 195 + 4 * 390**0.5  # with replacement
    for uniform in (augment_params.magnitudes, augment_params.holes):
        assert float(uniform.min()) >= 0
        assert float(uniform.max()) < 1
        torch.testing.assert_close(uniform.mean(0), torch.full_like(uniform[0], 0.5), rtol=0, atol=0.012)
