import pytest
import torch
from torchvision.transforms.v2 import RandomResizedCrop, functional as transforms

from stillhouse.data.pixels.views import Parts, resized_parts
from tests.helpers.pictures import picture


def drawn(count: int, size: int, seed: int = 0) -> Parts:
    return Parts.draw(count, size, torch.Generator().manual_seed(seed))


def rows(parts: Parts) -> list[list[int]]:
    return torch.stack([parts.top, parts.left, parts.height, parts.width], 1).tolist()


@pytest.mark.parametrize("size", [8, 32, 64])
def test_a_resized_part_is_torchvisions(size: int) -> None:
    images = torch.stack([transforms.pil_to_tensor(picture(i, size, size)) for i in range(24)])
    parts = drawn(24, size)
    ours = resized_parts(images.permute(0, 2, 3, 1), parts).permute(0, 3, 1, 2)
    for image, mine, (top, left, height, width) in zip(images, ours, rows(parts), strict=True):
        theirs = transforms.resized_crop(image.float(), top, left, height, width, [size, size], antialias=True)
        assert float((mine.float() - theirs).abs().max()) <= 0.5 + 1e-3


def test_the_whole_image_is_left_as_it_is() -> None:
    image = transforms.pil_to_tensor(picture(0, 32, 32)).permute(1, 2, 0)[None]
    zero, size = torch.tensor([0]), torch.tensor([32])
    assert torch.equal(resized_parts(image, Parts(zero, zero, size, size)), image)


def test_parts_are_drawn_as_torchvision_draws_them() -> None:
    """Means and extremes of four numbers, of 4,000 parts each."""
    ours = torch.tensor(rows(drawn(4_000, 32))).double()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        crop = RandomResizedCrop(32)
        boxes = [crop.make_params([torch.empty(3, 32, 32)]) for _ in range(4_000)]
    theirs = torch.tensor([[box[name] for name in ("top", "left", "height", "width")] for box in boxes]).double()
    torch.testing.assert_close(ours.mean(0), theirs.mean(0), rtol=0, atol=0.6)
    torch.testing.assert_close(ours.std(0), theirs.std(0), rtol=0, atol=0.4)
    assert ours.amin(0).tolist() == theirs.amin(0).tolist()
    assert ours.amax(0).tolist() == theirs.amax(0).tolist()


def test_every_part_is_within_its_image() -> None:
    parts = drawn(5000, 8)
    assert int(torch.min(parts.top.min(), parts.left.min())) >= 0
    assert int((parts.top + parts.height).max()) <= 8
    assert int((parts.left + parts.width).max()) <= 8


def test_a_part_depends_on_the_seed_alone() -> None:
    assert rows(drawn(9, 32)) == rows(drawn(9, 32))
    assert rows(drawn(9, 32)) != rows(drawn(9, 32, seed=1))
