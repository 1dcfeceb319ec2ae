"""The script beside a file of ONNX: what it feeds to the file is what training's own code makes, to the last bit."""

import io
import json
import os
import runpy
import sys
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from stillhouse.data.pixels.square import Resize
from stillhouse.export.files import LOGITS, NORMALISED, PIXELS, PROBABILITIES
from stillhouse.export.preprocessing import Preprocessing
from stillhouse.export.script import script
from tests.helpers.kinds_of_images import write_every_kind

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # Pillow, of files with several images

CLASSES = ["ant", "bee", "cat"]
RESIZES: tuple[Resize, ...] = ("crop", "squash", "pad", "squash_crop")
IS_EXACT = "AVX" in torch.backends.cpu.get_cpu_capability()  # elsewhere PyTorch resizes in float32


def steps_of(
    resize: Resize, background: str = "white", share: float = 0.875, white: float | None = None
) -> Preprocessing:
    return Preprocessing(33, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), resize, share, background, white)


@dataclass
class Beside:
    """A file of ONNX that keeps what it is fed, and a script to run beside it."""

    folder: Path
    about: dict[str, object] = field(default_factory=dict)
    fed: list[np.ndarray] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)

    def __call__(self, path: Path) -> "Beside":  # in the place of onnxruntime.InferenceSession
        assert path == self.folder / "student.onnx"
        return self

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={"stillhouse": json.dumps(self.about)})

    def run(self, outputs: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.asked.append(outputs)
        self.fed.append(feed["images"])
        return [np.array([[0.25, 0.5, 0.25]] if outputs == [PROBABILITIES] else [[-1000.0, 3.0, 2.0]], np.float32)]

    def start(self, text: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
        """Run the script, and return what it exits with."""
        (self.folder / "predict.py").write_text(text)
        monkeypatch.setattr(sys, "argv", ["predict.py", *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(self.folder / "predict.py"), run_name="__main__")
        return ended.value.code


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    found = Beside(tmp_path)
    monkeypatch.setattr(onnxruntime, "InferenceSession", found)
    return found


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return write_every_kind(tmp_path_factory.mktemp("kinds") / "images")


def check(beside: Beside, steps: Preprocessing, takes: str, images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare what a script feeds with what training's code makes of the same images."""
    beside.about = {"classes": CLASSES, "preprocessing": steps.to_dict()}
    text = script(steps, takes, PROBABILITIES if takes == PIXELS else LOGITS)
    assert beside.start(text, monkeypatch, *images) is None
    assert len(beside.fed) == len(images)
    for path, fed in zip(images, beside.fed, strict=True):
        pixels = steps.pixels(Path(path), path)
        wanted = pixels.permute(1, 2, 0)[None] if takes == PIXELS else steps.normalise(pixels[None])
        assert fed.dtype == wanted.numpy().dtype
        assert fed.shape == tuple(wanted.shape)
        apart = np.abs(fed.astype(np.float64) - wanted.numpy()).max()
        assert apart <= (0 if IS_EXACT else 1 if takes == PIXELS else 0.02), path


@pytest.mark.parametrize(("resize", "background"), list(product(RESIZES, ["#204060", "none"])))
def test_it_has_at_most_thirty_lines_of_120_columns(resize: Resize, background: str) -> None:
    for share, white, (takes, returns) in product(
        (0.875, 1.0), (None, 65535.0), ((PIXELS, PROBABILITIES), (NORMALISED, LOGITS), (NORMALISED, PROBABILITIES))
    ):
        steps = replace(steps_of(resize, background, share, white), size=1024)
        lines = script(steps, takes, returns).splitlines()
        assert len(lines) <= 30  # docs/shipping.md says so
        assert [line for line in lines if len(line) > 120] == []


@pytest.mark.parametrize(("resize", "background"), list(product(RESIZES, ["white", "#20406080", "none"])))
@pytest.mark.parametrize("takes", [PIXELS, NORMALISED])
def test_it_feeds_what_training_makes_of_every_kind_of_image(
    beside: Beside, resize: Resize, background: str, takes: str, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(beside, steps_of(resize, background), takes, images, monkeypatch)


@pytest.mark.parametrize("resize", RESIZES)
def test_images_of_a_network_that_was_trained_in_memory_are_made_alike(
    beside: Beside, resize: Resize, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(beside, steps_of(resize, share=1), PIXELS, images, monkeypatch)


@pytest.mark.parametrize("resize", RESIZES)
def test_deep_pixels_are_scaled_by_the_white_of_training(
    beside: Beside, resize: Resize, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    check(beside, steps_of(resize, white=64000.0), NORMALISED, images, monkeypatch)


@pytest.mark.parametrize("resize", ["squash", "pad", "squash_crop"])
def test_long_lines_are_made_alike(beside: Beside, resize: Resize, monkeypatch: pytest.MonkeyPatch) -> None:
    line = beside.folder / "line.png"  # so long that its weights have fewer bits, so thin that it would vanish
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (2, 60_000, 3), dtype=np.uint8)).save(line)
    check(beside, steps_of(resize), PIXELS, [str(line)], monkeypatch)


def test_it_prints_the_likeliest_class_of_logits_and_of_probabilities(
    beside: Beside, images: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = steps_of("crop")
    beside.about = {"classes": CLASSES, "preprocessing": steps.to_dict()}
    beside.start(script(steps, NORMALISED, LOGITS), monkeypatch, images[0])
    beside.start(script(steps, NORMALISED, PROBABILITIES), monkeypatch, images[0])
    assert capsys.readouterr().out == f"{images[0]}\tbee\t0.7311\n{images[0]}\tbee\t0.5000\n"
    assert beside.asked == [[LOGITS], [PROBABILITIES]]


def test_names_that_the_terminal_cannot_show_stop_nothing(
    beside: Beside, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(beside.folder / os.fsdecode(b"caf\xe9.jpg"))
    Path(name).write_bytes(Path(images[0]).read_bytes())
    steps, out = steps_of("crop"), io.TextIOWrapper(io.BytesIO(), "utf-8", "strict")
    beside.about = {"classes": CLASSES, "preprocessing": steps.to_dict()}
    monkeypatch.setattr(sys, "stdout", out)
    assert beside.start(script(steps, NORMALISED, LOGITS), monkeypatch, name, images[0]) is None
    out.flush()
    first, second = out.buffer.getvalue().decode().splitlines()
    assert first.endswith("caf\\udce9.jpg\tbee\t0.7311")
    assert second.startswith(images[0])


def test_the_end_of_a_pipe_is_not_blamed_on_an_image(
    beside: Beside, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError

    steps = steps_of("crop")
    beside.about = {"classes": CLASSES, "preprocessing": steps.to_dict()}
    monkeypatch.setattr("builtins.print", closed)
    with pytest.raises(BrokenPipeError):
        beside.start(script(steps, NORMALISED, LOGITS), monkeypatch, *images[:2])


@pytest.mark.parametrize(
    "other",
    [
        steps_of("squash"),
        steps_of("crop", background="black"),
        steps_of("crop", share=1),
        steps_of("crop", white=4095.0),
        Preprocessing(34, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), share=0.875),
    ],
)
def test_a_file_of_another_preprocessing_is_refused(
    beside: Beside, other: Preprocessing, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.about = {"classes": CLASSES, "preprocessing": other.to_dict()}
    for takes in (PIXELS, NORMALISED):
        text = script(steps_of("crop"), takes, LOGITS)
        assert beside.start(text, monkeypatch, images[0]) == "student.onnx belongs to another predict.py"
    assert beside.fed == []


def test_mean_std_and_classes_are_those_of_the_file(
    beside: Beside, images: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Preprocessing(33, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4), share=0.875)
    beside.about = {"classes": ["cow", "dog"], "preprocessing": other.to_dict()}
    assert beside.start(script(steps_of("crop"), NORMALISED, LOGITS), monkeypatch, images[0]) is None
    assert capsys.readouterr().out.split("\t")[1] == "dog"
    wanted = other.normalise(other.pixels(Path(images[0]), images[0])[None]).numpy()
    assert np.abs(beside.fed[0] - wanted).max() <= (0 if IS_EXACT else 0.02)


def test_deep_images_of_another_range_are_refused_and_stop_nothing(
    beside: Beside, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = np.random.default_rng(3).random((20, 20)).astype(np.float32)
    wrong: dict[str, np.ndarray] = {
        "twelve.png": (parts * 4095).astype(np.uint16),
        "more.tif": (parts * 100_000).astype(np.int32),
        "bright.tif": parts * 3,
        "below.tif": parts - 0.5,
        "nan.tif": np.where(parts < 0.1, np.nan, parts).astype(np.float32),
    }
    steps = steps_of("pad")
    for name, values in wrong.items():
        Image.fromarray(values).save(beside.folder / name)
        with pytest.raises(ValueError, match=r"holds|nearly black"):
            steps.pixels(beside.folder / name, name)
    beside.about = {"classes": CLASSES, "preprocessing": steps.to_dict()}
    words = [str(beside.folder / name) for name in wrong]
    ended = beside.start(script(steps, PIXELS, PROBABILITIES), monkeypatch, *words, images[0])
    assert ended == "\n".join(f"{word}: its values do not fill their range" for word in words)
    assert len(beside.fed) == 1
