"""Parts of an image drawn and cut as torchvision draws and cuts them."""

import pytest
import torch
import torchvision.transforms.v2 as v2
from PIL import Image

from stillhouse.data.pixels.crops import cut, pixels_of, random_part, random_place
from stillhouse.data.pixels.square import resized
from tests.helpers.pictures import picture

SIZES = [(30, 40), (200, 150), (9, 300), (300, 9), (10, 16), (16, 10), (7, 7)]  # strips that hardly any part fits into


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_parts_are_those_of_random_resized_crop(height: int, width: int) -> None:
    crop, image = v2.RandomResizedCrop(8), torch.zeros(3, height, width)
    with torch.random.fork_rng(devices=[]):
        for seed in range(100):
            torch.manual_seed(seed)
            known = crop.make_params([image])
            box = random_part(height, width, seeded(seed))
            assert box == tuple(known[name] for name in ("top", "left", "height", "width"))


@pytest.mark.parametrize(("height", "width"), [(30, 40), (16, 40), (40, 16), (16, 16)])
def test_places_are_those_of_random_crop(height: int, width: int) -> None:
    crop, image = v2.RandomCrop(16), torch.zeros(3, height, width)
    with torch.random.fork_rng(devices=[]):
        for seed in range(100):
            torch.manual_seed(seed)
            known = crop.make_params([image])
            box = random_place(height, width, 16, seeded(seed))
            assert box == tuple(known[name] for name in ("top", "left", "height", "width"))


def test_a_part_cut_out_of_pillows_image_has_torchvisions_pixels() -> None:
    image = picture(3, 60, 90)
    known = v2.functional.pil_to_tensor(image)
    assert pixels_of(image).equal(known)
    with torch.random.fork_rng(devices=[]):
        for seed in range(20):
            torch.manual_seed(seed)
            part = cut(image, random_part(image.height, image.width, seeded(seed)))
            assert resized(part, 16, 16).equal(v2.RandomResizedCrop(16)(known))


def test_pixels_can_be_written_to() -> None:
    pixels_of(Image.new("RGB", (4, 4)))[:] = 1  # otherwise PyTorch warns
