"""Quantisation: what is quantised, with which images, and which layer bears it worst."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stillhouse.data import load
from stillhouse.export.int8 import Quantiser, calibration_pixels, outputs_of, pairs, reduced_range, to_leave
from tests.helpers.pictures import write_classes

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


class Chain(nn.Module):
    """Two convolutions and a head.

    Between the convolutions one channel is so large that 8 bits lose the others, and the second hardly reads it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 4)
        with torch.no_grad():
            self.first.weight[0] *= 1000
            self.second.weight[:, 0] /= 10_000

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.second(self.first(images).relu()).relu().mean((2, 3)))
        return logits


@pytest.fixture(scope="module")
def quantiser(tmp_path_factory: pytest.TempPathFactory) -> Quantiser:
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch 2.11 gives one inside
        program = torch.onnx.export(
            Chain().eval(),
            (torch.zeros(2, 3, 12, 12),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["images"],
            verbose=False,
        )
    assert program is not None
    images = np.random.default_rng(0).normal(size=(96, 3, 12, 12)).astype("f4")
    return Quantiser(program.model_proto, images, True, tmp_path_factory.mktemp("int8"))


def test_each_layer_with_weights_is_quantised_unless_it_is_left_out(quantiser: Quantiser) -> None:
    assert [quantiser.label(name) for name in quantiser.layers] == ["first", "second", "head"]
    assert pairs(quantiser.quantised([])) == 0
    alone = pairs(quantiser.quantised(quantiser.layers[:1]))
    assert 0 < alone < pairs(quantiser.quantised(quantiser.layers))
    right, images = outputs_of(quantiser.model, quantiser.images), quantiser.images
    whole = outputs_of(quantiser.quantised(quantiser.layers), images)
    assert 0 < np.abs(whole - right).max() < 0.5 * np.abs(right).max()
    assert np.array_equal(outputs_of(quantiser.quantised([]), images), right)


def test_layers_that_bear_it_badly_are_found(quantiser: Quantiser) -> None:
    damages = {quantiser.label(name): damage for name, damage in quantiser.damages().items()}
    assert min(damages["first"], damages["second"]) > 10 * damages["head"] > 0


def test_weights_have_a_scale_for_each_channel(quantiser: Quantiser) -> None:
    model = quantiser.quantised(quantiser.layers)
    scales = [onnx.numpy_helper.to_array(one) for one in model.graph.initializer if one.name.endswith("weight_scale")]
    assert sorted(scale.size for scale in scales) == [4, 8, 8]
    weights = [onnx.numpy_helper.to_array(one) for one in model.graph.initializer if "weight_quantized" in one.name]
    assert max(int(np.abs(weight).max()) for weight in weights) <= 64  # 7 bits


def test_ever_more_layers_are_left_in_float() -> None:
    assert [len(some) for some in to_leave(list("abcdefgh"))] == [1, 2, 4]
    assert list(to_leave(["a"])) == []


@pytest.mark.parametrize("width", [16, 80])  # in memory, on disk
def test_calibration_takes_training_images_as_they_are_evaluated(tmp_path: Path, width: int) -> None:
    for split in ("train", "val"):
        write_classes(tmp_path / "images" / split, ("a", "b"), 6, width)
    data = load(tmp_path / "images", image_size=width, download_to=tmp_path / "cache")
    everything = torch.cat([batch.images for batch in data.train.batches("cpu")])
    some = calibration_pixels(data, 5, seed=1)
    where = [int((everything == one).flatten(1).all(1).nonzero()[0, 0]) for one in some]
    assert where == sorted(set(where))
    assert len(where) == 5
    assert torch.equal(calibration_pixels(data, 5, seed=1), some)
    assert not torch.equal(calibration_pixels(data, 5, seed=2), some)
    assert len(calibration_pixels(data, 500, seed=1)) == 12


def test_weights_have_7_bits_where_sums_could_overflow(tmp_path: Path) -> None:
    for flags, expected in (("flags : avx2 fma", True), ("flags : avx2 avx_vnni", False), ("avx512_vnni", False)):
        (tmp_path / "cpuinfo").write_text(flags)
        assert reduced_range("x86_64", tmp_path / "cpuinfo") == expected
    assert not reduced_range("arm64", tmp_path / "cpuinfo")
    assert reduced_range("x86_64", tmp_path / "absent")
