"""Files for other programs: they hold what the student says, and what it takes to use them."""

from pathlib import Path

import pytest
import torch

from stillhouse.export.files import Exported, Kind, open_exported
from stillhouse.export.write import Shipped, metadata, save_onnx, save_program, save_torchscript
from tests.helpers.commands import World
from tests.helpers.exports import Shop, onnx_of

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture
def shop(world: World, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.of(world, tmp_path_factory.mktemp("cache"))


def written(shop: Shop, kind: Kind, with_preprocessing: bool, folder: Path) -> Exported:
    about = metadata(shop.student, kind, with_preprocessing)
    if kind == "onnx":
        save_onnx(onnx_of(shop.student, with_preprocessing), about, folder / "student.onnx")
        return open_exported(folder / "student.onnx")
    path = folder / f"student.{kind}"
    (save_program if kind == "pt2" else save_torchscript)(shop.student, with_preprocessing, about, path)
    return open_exported(path, trust=True)


@pytest.mark.parametrize("with_preprocessing", [False, True])
@pytest.mark.parametrize("kind", ["onnx", "pt2", "torchscript"])
def test_files_say_what_the_student_says_for_any_number_of_images(
    shop: Shop, kind: Kind, with_preprocessing: bool, tmp_path: Path
) -> None:
    file = written(shop, kind, with_preprocessing, tmp_path)
    assert file.classes == shop.student.classes
    assert file.steps == shop.student.steps
    assert file.about["network"].endswith("my_nets.py:wide")
    assert file.about["weights_hash"] == shop.student.weights_hash
    assert file.about["run"] == shop.world.teacher.name
    assert file.about["versions"]["torch"] == torch.__version__.partition("+")[0]
    pixels = shop.pixels()
    for count in (1, 2, 24):
        expected = shop.student.probabilities(pixels[:count])
        assert torch.allclose(file.probabilities(pixels[:count]), expected, atol=1e-6)
        raw = expected if with_preprocessing else shop.student.outputs(pixels[:count])
        assert torch.allclose(file.outputs(pixels[:count]), raw, atol=1e-5)


def test_the_input_is_pixels_or_normalised_images(shop: Shop) -> None:
    pixels = Shipped(shop.student, with_preprocessing=True).example(16, 3)
    assert (pixels.shape, pixels.dtype) == ((3, 16, 16, 3), torch.uint8)
    images = Shipped(shop.student, with_preprocessing=False).example(16)
    assert (images.shape, images.dtype) == ((2, 3, 16, 16), torch.float32)
