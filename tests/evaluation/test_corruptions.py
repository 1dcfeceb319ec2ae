"""Corruptions: each formula a second time, slowly; the published strengths; the same pixels in any batch."""

import colorsys
import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from stillhouse.evaluation.corruptions import CORRUPTIONS, STRENGTHS, blur, brightness, jpeg, noise

GENERATOR = torch.Generator().manual_seed(0)
PIXELS = torch.randint(256, (5, 3, 16, 16), generator=GENERATOR, dtype=torch.uint8)
PIXELS[0, :, :2] = 0  # black, which has no hue
PLACES = torch.tensor([3, 0, 17, 4, 9])
BY_NAME = {one.name: one for one in CORRUPTIONS}


def test_brightness_is_added_to_v_in_hsv() -> None:
    found = brightness(PIXELS, PLACES, 0.3)
    for image, other in zip(PIXELS, found, strict=True):
        for y in range(0, 16, 3):
            for x in range(16):
                hue, saturation, value = colorsys.rgb_to_hsv(*(int(c) / 255 for c in image[:, y, x]))
                expected = colorsys.hsv_to_rgb(hue, saturation, min(1.0, value + 0.3))
                assert np.abs(other[:, y, x].double().numpy() - 255 * np.array(expected)).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("deviation", [0.2, 1.0, 2.5])
def test_blur_is_a_gaussian_with_the_border_continued(deviation: float) -> None:
    found = blur(PIXELS, PLACES, deviation).double().numpy()
    planes = PIXELS.double().numpy()
    sigma = (0, 0, deviation, deviation)
    expected = gaussian_filter(planes, sigma, mode="nearest", truncate=4)
    assert np.abs(found - expected).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("name", BY_NAME)
def test_the_order_of_values_in_memory_does_not_matter(name: str) -> None:
    corruption = BY_NAME[name]
    apart = PIXELS.contiguous(memory_format=torch.channels_last)  # as images of a folder are
    strength = corruption.parameters(16)[2]
    assert torch.equal(corruption.apply(apart, PLACES, strength), corruption.apply(PIXELS, PLACES, strength))


def test_noise_has_the_deviation_and_depends_on_the_image_only() -> None:
    grey = torch.full((40, 3, 32, 32), 128, dtype=torch.uint8)
    found = noise(grey, torch.arange(40), 0.1).double() / 255
    assert float(found.std()) == pytest.approx(0.1, rel=0.01)
    assert float(found.mean()) == pytest.approx(128 / 255, abs=1e-3)
    assert torch.equal(noise(PIXELS, PLACES, 0.1)[2:4], noise(PIXELS[2:4], PLACES[2:4], 0.1))
    first, second = noise(grey[:2], torch.tensor([0, 1]), 0.1)
    assert not torch.equal(first, second)
    # Twice the strength is twice the same draw, not another one.
    weak, strong = (noise(grey[:1], torch.tensor([5]), one).double() - 128 for one in (0.05, 0.1))
    assert float((strong - 2 * weak).abs().max()) <= 1.5


def test_jpeg_is_what_pillow_writes() -> None:
    for quality in (80, 7):
        file = io.BytesIO()
        Image.fromarray(PIXELS[1].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        expected = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)
        assert torch.equal(jpeg(PIXELS, PLACES, quality)[1], expected)


@pytest.mark.parametrize("name", BY_NAME)
def test_images_are_corrupted_one_by_one_and_stay_pixels(name: str) -> None:
    corruption = BY_NAME[name]
    before = PIXELS.clone()
    for parameter in corruption.parameters(16):
        together = corruption.apply(PIXELS, PLACES, parameter)
        alone = torch.cat([corruption.apply(PIXELS[i : i + 1], PLACES[i : i + 1], parameter) for i in range(5)])
        assert torch.equal(together, alone)
        assert (together.dtype, together.shape) == (torch.uint8, PIXELS.shape)
    assert torch.equal(PIXELS, before)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("size", [32, 224])
def test_each_strength_changes_a_photo_more(name: str, size: int) -> None:
    corruption, photo = BY_NAME[name], _photo(size)
    changes = [
        float((corruption.apply(photo, torch.tensor([0]), parameter).double() - photo.double()).abs().mean())
        for parameter in corruption.parameters(size)
    ]
    assert len(changes) == STRENGTHS
    assert changes == sorted(changes)
    assert changes[0] > 0


def _photo(size: int) -> Tensor:
    """Smooth areas with an edge and some texture: (1, 3, S, S)."""
    x = torch.linspace(0, 1, size)
    plane = 90 + 80 * x[None, :] * x[:, None] + 30 * (x[None, :] > x[:, None]) + 15 * torch.sin(160 * x)[None, :]
    return torch.stack([plane, 0.8 * plane, 0.6 * plane])[None].round().to(torch.uint8)


def test_strengths_are_the_published_ones_and_blur_grows_with_the_images() -> None:
    assert BY_NAME["jpeg"].parameters(32) == [80, 65, 58, 50, 40]
    assert BY_NAME["jpeg"].parameters(65) == [25, 18, 15, 10, 7]
    assert BY_NAME["noise"].parameters(64) == [0.04, 0.06, 0.08, 0.09, 0.10]
    assert BY_NAME["brightness"].parameters(224) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert BY_NAME["blur"].parameters(32) == [0.4, 0.6, 0.7, 0.8, 1.0]
    assert BY_NAME["blur"].parameters(16) == [0.2, 0.3, 0.35, 0.4, 0.5]
    assert BY_NAME["blur"].parameters(448) == [2, 4, 6, 8, 12]
