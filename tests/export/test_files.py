"""Exported files, opened: what is none is refused, and what can hold code is not run unasked."""

import json
from pathlib import Path

import pytest

from stillhouse.export import files
from stillhouse.export.files import KEY, check_installed, first_line, is_exported, open_exported

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
ABOUT = {
    "classes": ["a", "b"],
    "preprocessing": {"size": 8, "mean": [0, 0, 0], "std": [1, 1, 1]},
    "input": "normalised",
    "output": "logits",
}


def write(path: Path, about: object) -> Path:
    """Write a model of ONNX that returns two means."""
    helper, tensor = onnx.helper, onnx.TensorProto
    shapes = ("images", ["n", 2, 8, 8]), ("logits", ["n", 2])
    values = [helper.make_tensor_value_info(name, tensor.FLOAT, shape) for name, shape in shapes]
    axes = helper.make_tensor("axes", tensor.INT64, [2], [2, 3])
    node = helper.make_node("ReduceMean", ["images", "axes"], ["logits"], keepdims=0)
    graph = helper.make_graph([node], "means", values[:1], values[1:], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if about is not None:
        helper.set_model_props(model, {KEY: about if isinstance(about, str) else json.dumps(about)})
    path.write_bytes(model.SerializeToString())
    return path


def test_files_are_known_by_their_suffix() -> None:
    assert [is_exported(name) for name in ("a.onnx", "a.PT2", "runs/x.torchscript", "a.safetensors", "runs/a")] == [
        *(True, True, True, False, False)
    ]


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    assert open_exported(write(tmp_path / "good.onnx", ABOUT)).classes == ("a", "b")
    (tmp_path / "text.onnx").write_text("no model")
    for path, why in (
        (tmp_path / "absent.onnx", "there is no file"),
        (tmp_path / "text.onnx", "cannot be opened by ONNX Runtime"),
        (write(tmp_path / "foreign.onnx", None), "does not say its classes and preprocessing"),
        (write(tmp_path / "damaged.onnx", "{"), "its metadata cannot be read"),
        (write(tmp_path / "other.onnx", ABOUT | {"input": "words"}), "its metadata cannot be read"),
        (write(tmp_path / "size.onnx", ABOUT | {"preprocessing": {"size": 8}}), "is damaged"),
        (write(tmp_path / "twice.onnx", ABOUT | {"classes": ["a", "a"]}), "names a class twice"),
    ):
        with pytest.raises(ValueError, match=why):
            open_exported(path)


@pytest.mark.parametrize("name", ["x.pt2", "x.torchscript"])
def test_files_of_pytorch_are_opened_only_where_they_are_trusted(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"whatever")
    with pytest.raises(ValueError, match="can run code that is in it; if you trust it, add --trust true"):
        open_exported(tmp_path / name)
    with pytest.raises(ValueError, match="cannot be opened by PyTorch"):
        open_exported(tmp_path / name, trust=True)


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ValueError, match=r"ONNX files need onnxscript: pip install 'stillhouse\[export\]'"):
        check_installed("int8")
    check_installed("pt2")


def test_a_library_s_error_is_one_line() -> None:
    assert first_line(RuntimeError("  bad\tthing \n and more")) == "bad thing"
    assert first_line(RuntimeError()) == "RuntimeError"
