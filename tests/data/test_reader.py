"""Batches of decoded images."""

import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

from stillhouse.data import reader
from stillhouse.data.decode import PLAIN, Encoded
from stillhouse.data.packed import Packed
from stillhouse.data.reader import Reader
from tests.helpers.pictures import picture, png


def test_a_batch_is_its_images_by_themselves() -> None:
    sources = Packed(Encoded(png(picture(number, 30, 40 + number)), str(number)) for number in range(5))
    reads = Reader(sources, PLAIN, 16, "crop", "resized", (3, 4))
    whole = reads.__getitems__([4, 0, 2])
    assert isinstance(whole, torch.Tensor)
    assert whole.shape == (2, 3, 16, 16, 3)
    for place, index in enumerate((4, 0, 2)):
        (alone,) = [reads.__getitems__([index])]
        assert isinstance(alone, torch.Tensor)
        assert alone[:, 0].equal(whole[:, place])
    assert not whole[0].equal(whole[1])  # two views


def test_warnings_are_heard_again_after_a_batch_and_pillows_limit_is_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    limits = []

    def watched(*arguments: object) -> Image.Image:
        limits.append(Image.MAX_IMAGE_PIXELS)
        warnings.warn("of Pillow", UserWarning, stacklevel=1)
        return Image.new("RGB", (20, 20))

    monkeypatch.setattr(reader, "rgb", watched)
    usual, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    Reader(Packed([tmp_path / "a.png"] * 3), PLAIN, 16, "crop", "none").__getitems__([0, 1, 2])
    assert len(limits) == 3
    assert usual not in limits
    assert usual == Image.MAX_IMAGE_PIXELS
    assert list(warnings.filters) == filters
