"""Predictions, batch by batch."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stillhouse.export.predict import Prediction, predict
from stillhouse.export.preprocessing import Preprocessing
from tests.helpers.pictures import picture

STEPS = Preprocessing(8, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def brightness(pixels: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 3): dark, middle, bright."""
    mean = pixels.float().mean((1, 2, 3)) / 255
    return torch.stack([1 - mean, mean * 0, mean], 1)


def test_each_image_has_its_own_classes_whatever_the_batch_and_its_neighbours(tmp_path: Path) -> None:
    for number, level in enumerate((10, 250, 60)):
        picture(0).point(lambda _, level=level: level).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    names = [str(tmp_path / name) for name in ("0.png", "broken.png", "1.png", "missing.png", "2.png")]
    for batch_size in (1, 2, 5):
        found = list(predict(names, STEPS, ("dark", "middle", "bright"), brightness, 2, batch_size))
        assert [one.image for one in found] == names
        assert [tuple(name for name, _ in one.top) for one in found] == [
            *[("dark", "bright"), (), ("bright", "dark"), (), ("dark", "bright")]
        ]
        assert found[0].top[0][1] == pytest.approx(1 - 10 / 255)
        assert "cannot be read as an image" in found[1].problem
        assert found[3] == Prediction(names[3], (), f"{names[3]} is missing: restore it")


def test_images_are_read_no_further_than_asked_for(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "0.png")

    def names() -> object:
        yield str(tmp_path / "0.png")
        raise AssertionError("read too far")

    first = next(iter(predict(names(), STEPS, ("a", "b", "c"), brightness, 9, 1)))  # type: ignore[arg-type] # yields
    assert len(first.top) == 3


def test_a_network_that_returns_nan_is_refused(tmp_path: Path) -> None:
    picture(0).save(tmp_path / "0.png")
    with pytest.raises(ArithmeticError, match="returns NaN"):
        list(predict([str(tmp_path / "0.png")], STEPS, ("a", "b", "c"), lambda x: brightness(x) * torch.nan, 1, 1))


@pytest.mark.parametrize("count", [1, 3, 10])
def test_of_equal_classes_the_first_is_told_as_in_an_evaluation(tmp_path: Path, count: int) -> None:
    picture(0).save(tmp_path / "0.png")
    quantised = torch.tensor([[0, 1, 2, 0, 1, 0, 3, 1, 0, 3]]) / 8  # the outputs of int8 are often equal
    (found,) = predict([str(tmp_path / "0.png")], STEPS, tuple("abcdefghij"), lambda _: quantised, count, 1)
    assert "".join(name for name, _ in found.top) == "gjcbehadfi"[:count]
    assert found.top[0][0] == "abcdefghij"[int(quantised.argmax())]
