"""Exports: a file gets its name once it is proven; a damaged one does not."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stillhouse.data import load
from stillhouse.export.export import export, held_out
from stillhouse.export.files import Kind, open_exported
from stillhouse.export.int8 import Quantiser
from stillhouse.export.outcome import Order
from stillhouse.export.write import to_onnx
from tests.helpers.commands import World
from tests.helpers.exports import Shop, onnx_of
from tests.helpers.kinds_of_images import write_kinds
from tests.helpers.pictures import picture, write_pictures

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


@pytest.fixture
def shop(world: World, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop.of(world, tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.export.latency._SECONDS", 0.0)
    monkeypatch.setattr("stillhouse.export.latency._LEAST", 2)
    monkeypatch.setattr("stillhouse.export.export.to_onnx", onnx_of)


def order(kind: Kind, folder: Path, **changes: object) -> Order:
    return replace(Order(kind, folder, compiled=False), **changes)  # type: ignore[arg-type] # of several types


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def damaged(model: nn.Module) -> Iterator[None]:
    """Shuffle the weights of one layer, while a file is written."""
    weights = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d)).weight
    before = weights.clone()
    weights.copy_(before.flip(0))
    try:
        yield
    finally:
        weights.copy_(before)


def test_a_good_file_gets_its_name_a_report_and_a_script(shop: Shop, tmp_path: Path) -> None:
    outcome = export(shop.student, shop.data, order("onnx", tmp_path / "out"), str)
    assert outcome.failures == []
    assert names(tmp_path / "out") == ["export.json", "predict.py", "student.onnx"]
    report = json.loads((tmp_path / "out" / "export.json").read_text())
    assert report["passed"]
    assert report["file"] == "student.onnx"
    assert report["images"] == 24
    assert report["top1_pytorch"] == report["batches"]["1"]["top1"] == report["batches"]["32"]["top1"]
    assert report["relative_difference"] < 1e-5
    assert report["milliseconds"].keys() == {"PyTorch", "onnx"}
    assert report["bytes"]["onnx"] == (tmp_path / "out" / "student.onnx").stat().st_size


def test_an_export_in_the_place_of_another_leaves_no_file_of_that(shop: Shop, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(shop.student, shop.data, order("onnx", out, timed=False), str)
    (out / "mine.txt").write_text("stays")
    (out / "student.onnx.failed").write_text("of an attempt")
    assert export(shop.student, shop.data, order("pt2", out, timed=False, overwrite=True), str).failures == []
    assert names(out) == ["export.json", "mine.txt", "student.pt2"]
    (out / "student.torchscript").write_text("not of an export, by its report")
    export(shop.student, shop.data, order("onnx", out, timed=False, overwrite=True), str)
    assert names(out) == ["export.json", "mine.txt", "predict.py", "student.onnx", "student.torchscript"]


def test_a_file_is_in_place_before_it_is_timed(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = export(shop.student, shop.data, order("onnx", tmp_path / "quick", timed=False), str)
    report = json.loads((tmp_path / "quick" / "export.json").read_text())
    assert (quick.times, report["milliseconds"], report["passed"]) == ({}, {}, True)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stillhouse.export.export.latency", interrupted)
    said: list[object] = []
    with pytest.raises(KeyboardInterrupt):
        export(shop.student, shop.data, order("onnx", tmp_path / "out"), said.append)
    assert said == [f"proven, and written to {tmp_path / 'out' / 'student.onnx'}; now it is timed"]
    assert names(tmp_path / "out") == names(tmp_path / "quick") == ["export.json", "predict.py", "student.onnx"]
    assert json.loads((tmp_path / "out" / "export.json").read_text()) == report


def test_a_file_with_other_weights_does_not_get_its_name(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(*arguments: object) -> object:
        with torch.no_grad(), damaged(shop.student.model):
            return to_onnx(*arguments)  # type: ignore[arg-type] # as given

    monkeypatch.setattr("stillhouse.export.export.to_onnx", spoilt)
    outcome = export(shop.student, shop.data, order("onnx", tmp_path / "out"), str)
    assert any("its outputs differ from the student's" in failure for failure in outcome.failures)
    assert names(tmp_path / "out") == ["export.json.failed", "student.onnx.failed"]
    assert not json.loads((tmp_path / "out" / "export.json.failed").read_text())["passed"]
    monkeypatch.setattr("stillhouse.export.export.to_onnx", onnx_of)
    assert export(shop.student, shop.data, order("onnx", tmp_path / "out"), str).failures == []
    assert names(tmp_path / "out") == ["export.json", "predict.py", "student.onnx"]


def test_a_file_with_a_frozen_batch_does_not_get_its_name(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.export.write._any_batch", lambda: None)
    monkeypatch.setattr("stillhouse.export.export.to_onnx", to_onnx)
    outcome = export(shop.student, shop.data, order("onnx", tmp_path / "out"), str)
    assert [failure.partition(":")[0] for failure in outcome.failures] == ["in batches of 1", "in batches of 32"]
    assert "cannot be run on 1 images" in outcome.failures[0]
    assert "student.onnx" not in names(tmp_path / "out")


def test_int8_leaves_the_layers_in_float_that_would_cost_accuracy(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = export(shop.student, shop.data, order("int8", tmp_path / "good"), str)
    assert (good.failures, list(good.left)) == ([], [])
    assert good.details["quantise_nodes"] > 0
    assert good.details["quantised_layers"] == ["stage1.0", "stage2.0", "head"]
    quantised = Quantiser.quantised

    def breaking(self: Quantiser, layers: Sequence[str]) -> object:
        """Quantise, and turn the logits round where the second layer is quantised."""
        model = quantised(self, layers)
        if self.layers[1] in layers:
            last = next(node for node in model.graph.node if "logits" in node.output)
            last.output[:] = ["before"]
            model.graph.node.append(onnx.helper.make_node("Neg", ["before"], ["logits"]))
        return model

    monkeypatch.setattr(Quantiser, "quantised", breaking)
    said: list[str] = []
    outcome = export(shop.student, shop.data, order("int8", tmp_path / "out"), said.append)
    assert (outcome.failures, list(outcome.left)) == ([], ["stage2.0"])
    assert "each of 3 layers is now quantised alone" in said[0]


def test_int8_of_which_nothing_is_quantised_fails(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quantiser, "layers", [])
    outcome = export(shop.student, shop.data, order("int8", tmp_path / "out"), str)
    assert outcome.failures == ["nothing in it is quantised: it has no layer that could be"]


def test_earlier_exports_are_replaced_only_on_request(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "student.torchscript").write_text("mine")
    with pytest.raises(ValueError, match=r"student.torchscript exists; replace it with --overwrite true"):
        export(shop.student, shop.data, order("torchscript", tmp_path), str)
    assert names(tmp_path) == ["student.torchscript"]
    export(shop.student, shop.data, order("torchscript", tmp_path, overwrite=True), str)
    assert open_exported(tmp_path / "student.torchscript", trust=True).classes == ("ant", "bee", "cat")


def test_a_file_cannot_be_proven_on_other_classes_or_sizes(shop: Shop, tmp_path: Path) -> None:
    other = load(write_pictures(tmp_path / "other", ("ant", "cow")), download_to=tmp_path / "cache")
    with pytest.raises(ValueError, match="was not trained on these classes"):
        export(shop.student, other, order("torchscript", tmp_path / "out"), str)
    assert not (tmp_path / "out").exists()
    large = load(shop.world.pictures, image_size=24, download_to=tmp_path / "cache")
    with pytest.raises(ValueError, match="takes images of 16 px, not 24"):
        next(held_out(large, shop.student))


def test_data_with_some_of_the_classes_are_measured_by_their_names(shop: Shop, tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "some", ("bee", "cat"))
    data = load(root, download_to=tmp_path / "cache")
    (_, labels), *_ = held_out(data, shop.student)
    assert set(labels.tolist()) == {1, 2}


@pytest.mark.parametrize(
    ("steps", "with_preprocessing"),
    [({"share": 0.875}, True), ({"resize": "squash_crop"}, False), ({"resize": "pad", "background": "#204060"}, True)],
)
def test_the_script_says_what_the_student_says(
    shop: Shop, tmp_path: Path, steps: dict[str, object], with_preprocessing: bool
) -> None:
    student = replace(shop.student, steps=replace(shop.student.steps, **steps))  # type: ignore[arg-type] # of several types
    out, images = tmp_path / "out", write_kinds(tmp_path / "images", count=5) / "val"
    made = order("onnx", out, with_preprocessing=with_preprocessing)
    assert export(student, shop.data, made, str).failures == []
    files = sorted(map(str, images.glob("*/*")))
    run = "import runpy, sys; sys.argv = sys.argv[1:]; sys.modules['torch'] = sys.modules['stillhouse'] = None; "
    run += "runpy.run_path(sys.argv[0], run_name='__main__')"  # where both cannot be imported
    words = [sys.executable, "-c", run, str(out / "predict.py"), *files]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    found = student.probabilities(torch.stack([student.steps.pixels(Path(file), file) for file in files]))
    assert [row[0] for row in rows] == files
    assert [row[1] for row in rows] == [student.classes[int(one.argmax())] for one in found]
    is_exact = "AVX" in torch.backends.cpu.get_cpu_capability()  # elsewhere PyTorch resizes in float32
    expected = pytest.approx([float(one.max()) for one in found], abs=1e-4 if is_exact else 0.02)
    assert [float(row[2]) for row in rows] == expected


def test_the_script_goes_on_after_a_file_that_is_no_image_and_ends_with_code_1(shop: Shop, tmp_path: Path) -> None:
    out, good = tmp_path / "out", tmp_path / "good.jpg"
    assert export(shop.student, shop.data, order("onnx", out), str).failures == []
    picture(0).resize((64, 64)).save(good)
    (tmp_path / "half.jpg").write_bytes(good.read_bytes()[:-200])
    bad = [str(tmp_path / name) for name in ("missing.jpg", "half.jpg")]
    words = [sys.executable, str(out / "predict.py")]
    done = subprocess.run([*words, bad[0], str(good), bad[1], str(good)], capture_output=True, text=True, check=False)
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [str(good), str(good)]
    missing, half = done.stderr.splitlines()
    assert missing.startswith(f"{bad[0]}: [Errno 2] No such file")
    assert half.startswith(f"{bad[1]}: image file is truncated")
    assert done.returncode == 1
    alone = subprocess.run(words, capture_output=True, text=True, check=False)
    usage = "Print the class of each image and its probability: python predict.py IMAGE ... "
    assert (alone.stdout, alone.stderr[: len(usage)], alone.returncode) == ("", usage, 1)


def test_the_script_of_another_export_says_so(shop: Shop, tmp_path: Path) -> None:
    for name, with_preprocessing in {"numbers": False, "pixels": True}.items():
        made = order("onnx", tmp_path / name, with_preprocessing=with_preprocessing, timed=False)
        assert export(shop.student, shop.data, made, str).failures == []
    for one, other in (("numbers", "pixels"), ("pixels", "numbers")):
        script = tmp_path / other / "mixed.py"
        script.write_bytes((tmp_path / one / "predict.py").read_bytes())
        done = subprocess.run([sys.executable, script, shop.files[0]], capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode, len(done.stderr.splitlines())) == ("", 1, 1)
        assert "Unexpected input data type" in done.stderr
