"""Steps from an image file to a network's input."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stillhouse.data import LoadOptions, load
from stillhouse.data.pixels.square import Resize
from stillhouse.export.preprocessing import Preprocessing
from stillhouse.models.input_spec import IMAGENET
from tests.helpers.kinds_of_images import write_kinds

HEADER: dict[str, Any] = {"image_size": 32, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1], "share": 1.0}


@pytest.mark.parametrize("size", [48, 96])  # in memory, on disk
@pytest.mark.parametrize("resize", ["crop", "squash", "pad", "squash_crop"])
def test_pixels_and_input_are_those_that_training_is_measured_on(tmp_path: Path, size: int, resize: Resize) -> None:
    root = write_kinds(tmp_path / "images", ("a", "b"), 5)
    options = LoadOptions(image_size=size, resize=resize, background="#10f020", download_to=tmp_path / "cache")
    data = load(root, options)
    images = torch.cat([batch.images for batch in data.test.batches("cpu")])
    about = {"image_size": size, "mean": list(data.mean), "std": list(data.std), "share": data.test.share}
    steps = Preprocessing.of_header(about | {"images": {"resize": resize, "background": "#10f020"}}, "file")
    files = [sorted((root / "val" / name).iterdir(), key=lambda path: path.stem) for name in ("a", "b")]
    pixels = torch.stack([steps.pixels(path, str(path)) for path in (*files[0], *files[1])])
    assert torch.allclose(steps.normalise(pixels), images, atol=1e-5)
    assert torch.equal(steps.pixels_of(images, data.mean, data.std), pixels)


def test_steps_survive_a_file(tmp_path: Path) -> None:
    steps = Preprocessing.of_header(HEADER | {"images": {"max_value": "4095.0", "resize": "pad"}}, "file")
    assert (steps.max_value, steps.resize, steps.share, steps.is_certain) == (4095.0, "pad", 1.0, True)
    assert Preprocessing.checked("file", steps.to_dict()) == steps


def test_old_files_leave_the_share_to_their_kind() -> None:
    old = {name: value for name, value in HEADER.items() if name != "share"}
    assert Preprocessing.of_header(old, "file").share == 1
    assert not Preprocessing.of_header(old, "file").is_certain
    mean, std = IMAGENET
    assert Preprocessing.of_header(old | {"mean": list(mean), "std": list(std)}, "file").share == 0.875
    assert Preprocessing.of_header(old | {"image_size": 72}, "file").share == 0.875


@pytest.mark.parametrize(
    "damage",
    [
        {"images": {"resize": "stretch"}},
        {"images": {"background": 5}},
        {"images": {"background": "whitish"}},
        {"images": {"max_value": "much"}},
        {"share": 0.0},
        {"share": "nan"},
        {"image_size": 5},
    ],
)
def test_steps_that_cannot_be_are_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"^file is damaged .*get it again$"):
        Preprocessing.of_header(HEADER | damage, "file")


def test_files_that_do_not_say_enough_are_refused() -> None:
    with pytest.raises(ValueError, match="does not say how its images were made"):
        Preprocessing.of_header({"image_size": 32}, "file")
