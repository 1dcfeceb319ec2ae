"""Small grey pictures: the same for the same image in any format, and in memory."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stillhouse.data.decode import PLAIN
from stillhouse.plan.thumbnails import digests_of, digests_of_files, of_files, of_pixels
from tests.plan.test_duplicates import photo


def test_a_draft_of_a_jpeg_is_close_to_the_whole_image_in_another_format(tmp_path: Path) -> None:
    photo(1, 700, 500).save(tmp_path / "a.jpg", quality=90)
    Image.open(tmp_path / "a.jpg").save(tmp_path / "a.png")
    files = [tmp_path / "a.jpg", tmp_path / "a.png"]
    found = of_files(files, [5, 3], PLAIN, math.inf)
    assert found.places.tolist() == [5, 3]
    assert np.abs(found.grey[0] - found.grey[1]).mean() < 2
    assert found.grey[0].std() > 10
    digests = digests_of_files(files, [5, 3], PLAIN, math.inf)
    assert digests[5] == digests[3]


def test_images_in_memory_have_the_thumbnails_of_their_files(tmp_path: Path) -> None:
    image = photo(2, 64, 64)
    image.save(tmp_path / "a.png")
    pixels = torch.from_numpy(np.array(image))[None].repeat(2, 1, 1, 1)
    pixels[1, 0, 0] += 1
    on_disk = of_files([tmp_path / "a.png"], [0], PLAIN, math.inf)
    assert np.abs(of_pixels(pixels).grey[0] - on_disk.grey[0]).max() < 1.5
    digests = digests_of(pixels)
    assert digests[0] != digests[1]
    assert digests[0] == digests_of(pixels[:1])[0]


def test_nothing_is_decoded_after_the_time(tmp_path: Path) -> None:
    photo(1).save(tmp_path / "a.png")
    assert of_files([tmp_path / "a.png"], [0], PLAIN, -math.inf).places.tolist() == []
    assert digests_of_files([tmp_path / "a.png"], [0], PLAIN, -math.inf) == {}
