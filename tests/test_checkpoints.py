"""Weights in and out of files: every public format is read, none runs code, and no file is ever half written."""

import argparse
import json
import os
import pickle
import resource
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stillhouse.checkpoints import (
    about_weights,
    load_state,
    load_weights,
    read_weights,
    save_state,
    save_weights,
    write_atomically,
)
from stillhouse.models import zoo
from tests.helpers.networks import QuickNet

Weights = dict[str, Tensor]


class Malicious:
    """A pickle of it makes a file when it is read carelessly."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


def with_prefix(prefix: str, weights: Weights) -> Weights:
    return {prefix + name: value for name, value in weights.items()}


def like_rep_distiller(weights: Weights) -> dict[str, object]:
    """What its students' last files hold."""
    options = argparse.Namespace(lr=0.05, model_s="resnet8", lr_decay_epochs=[150, 180, 210])
    optimizer = {"state": {}, "param_groups": [{"lr": np.float64(5e-5), "momentum": np.float32(0.9)}]}
    return {"opt": options, "model": weights, "accuracy": np.float64(73.25), "epoch": np.int64(240)} | {
        "optimizer": optimizer
    }


FORMATS: dict[str, Callable[[Weights], object]] = {
    "bare": lambda weights: weights,
    "ordered": OrderedDict,
    "model": lambda weights: {"model": weights, "epoch": 240},
    "state_dict": lambda weights: {"state_dict": weights, "arch": "resnet8", "best_acc1": torch.tensor(73.2)},
    "nested": lambda weights: {"net": {"state_dict": weights}},
    "module": lambda weights: with_prefix("module.", weights),
    "model with module": lambda weights: {"model": with_prefix("module.", weights)},
    "compiled": lambda weights: with_prefix("_orig_mod.", weights),
    "module of compiled": lambda weights: with_prefix("module._orig_mod.", weights),
    "compiled module": lambda weights: {"state_dict": with_prefix("_orig_mod.module.", weights)},
    "RepDistiller": like_rep_distiller,
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", FORMATS)
def test_public_formats_are_read(tmp_path: Path, form: str, legacy: bool) -> None:
    torch.manual_seed(0)
    saved, loaded, path = QuickNet(), QuickNet(), tmp_path / "weights.pth"
    torch.save(FORMATS[form](saved.state_dict()), path, _use_new_zipfile_serialization=not legacy)
    load_weights(loaded, path)
    for name, value in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_safetensors_of_any_origin_are_read(tmp_path: Path) -> None:
    saved, loaded, path = QuickNet(), QuickNet(), tmp_path / "weights.safetensors"
    save_file(with_prefix("module.", saved.state_dict()), path)
    load_weights(loaded, path)
    assert torch.equal(loaded.head.weight, saved.head.weight)
    assert about_weights(path) == {}


def test_what_was_saved_comes_back_with_what_it_is(tmp_path: Path) -> None:
    saved, loaded, path = zoo("resnet8", 5), zoo("resnet8", 5), tmp_path / "student.safetensors"
    about = {"network": "resnet8", "classes": ["a", "b"], "mean": [0.5, 0.25]}
    save_weights(saved, path, about)
    load_weights(loaded, path)
    assert about_weights(path) == about
    assert all(
        torch.equal(a, b) for a, b in zip(saved.state_dict().values(), loaded.state_dict().values(), strict=True)
    )


def test_tied_weights_are_saved(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    shared = torch.nn.Parameter(torch.randn(4, 4))
    net[0].weight = net[1].weight = shared
    save_weights(net, tmp_path / "tied.safetensors", {})
    weights = read_weights(tmp_path / "tied.safetensors")
    assert torch.equal(weights["0.weight"], shared)
    assert torch.equal(weights["1.weight"], shared)


def test_counters_may_be_missing_and_numbers_of_another_precision(tmp_path: Path) -> None:
    saved, loaded, path = QuickNet(), QuickNet(), tmp_path / "old.pth"
    weights = {name: value.double() for name, value in saved.state_dict().items() if "num_batches" not in name}
    torch.save(weights, path)
    load_weights(loaded, path)
    assert torch.equal(loaded.head.weight, saved.head.weight)
    assert loaded.head.weight.dtype == torch.float32


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_checkpoint_that_would_run_code_is_not_executed(tmp_path: Path, legacy: bool) -> None:
    trap, path = tmp_path / "trap", tmp_path / "weights.pth"
    content = {"model": QuickNet().state_dict(), "extra": Malicious(trap)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=r"weights.pth was not read: .* reading it could run code"):
        load_weights(QuickNet(), path)
    assert not trap.exists()
    torch.load(path, weights_only=False)
    assert trap.exists()  # so the file was malicious indeed


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.safetensors", "weights"])
def test_a_bare_pickle_is_not_executed_under_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Malicious(tmp_path / "trap")))
    with pytest.raises(ValueError, match=name):
        read_weights(path)
    assert not (tmp_path / "trap").exists()


def test_a_state_that_would_run_code_is_not_executed(tmp_path: Path) -> None:
    torch.save({"position": (1, 0), "extra": Malicious(tmp_path / "trap")}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match=r"state.pt is damaged .*; move .* away to begin anew"):
        load_state(tmp_path / "state.pt")
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("content", ["", "half", "text", "list", "flipped"])
def test_a_damaged_state_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state.pt"
    save_state(path, {"weights": torch.arange(1000)})
    whole = path.read_bytes()
    path.write_bytes({"half": whole[: len(whole) // 2], "text": b"no state at all"}.get(content, b""))
    if content == "flipped":
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    if content == "list":
        torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"state.pt (is damaged|holds a list).*; move .* away to begin anew"):
        load_state(path)


def test_any_other_text_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_text("junk\n")
    with pytest.raises(ValueError, match=r"net.pth is cut off or no PyTorch checkpoint"):
        read_weights(tmp_path / "net.pth")


def test_a_whole_pickled_network_is_refused_with_the_way_out(tmp_path: Path) -> None:
    torch.save(QuickNet(), tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"save model.state_dict\(\)"):
        read_weights(tmp_path / "net.pth")


def spoilt_files(folder: Path) -> None:
    weights = QuickNet().state_dict()
    for suffix in ("pth", "safetensors"):
        whole = folder / f"whole.{suffix}"
        save_file(weights, whole) if suffix == "safetensors" else torch.save(weights, whole)
        content = whole.read_bytes()
        (folder / f"half.{suffix}").write_bytes(content[: len(content) // 2])
        (folder / f"end.{suffix}").write_bytes(content[:-1])
        (folder / f"empty.{suffix}").write_bytes(b"")
        (folder / f"text.{suffix}").write_text("<html>404: this is no checkpoint</html>\n" * 9)
        (folder / f"noise.{suffix}").write_bytes(np.random.default_rng(0).bytes(4096))
        (folder / f"header.{suffix}").write_bytes(b"\xff" * 64)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("kind", ["half", "end", "empty", "text", "noise", "header"])
def test_spoilt_files_are_named(tmp_path: Path, kind: str, suffix: str) -> None:
    spoilt_files(tmp_path)
    with pytest.raises(ValueError, match=rf"{kind}\.{suffix} ") as caught:
        load_weights(QuickNet(), tmp_path / f"{kind}.{suffix}")
    assert "\n" not in str(caught.value)


def test_a_header_that_is_no_description_is_refused_or_ignored(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(QuickNet().state_dict(), path, {"stillhouse": "{"})
    with pytest.raises(ValueError, match=r"weights.safetensors"):
        about_weights(path)
    save_file(QuickNet().state_dict(), path, {"stillhouse": json.dumps([1, 2])})
    assert about_weights(path) == {}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds a list, not a state dict"),
        (torch.ones(3), "holds a Tensor, not a state dict"),
        ({"epoch": 3, "lr": 0.1}, "holds epoch, lr, but no weights under any of model, state_dict"),
        ({}, "holds nothing, but no weights"),
        ({"model": {}}, "holds nothing, but no weights"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path: Path, content: object, sentence: str) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match=sentence):
        read_weights(tmp_path / "odd.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no file .*nowhere.pth; check the path"):
        load_weights(QuickNet(), tmp_path / "nowhere.pth")


def test_weights_that_do_not_fit_name_the_differences(tmp_path: Path) -> None:
    net, path = QuickNet(), tmp_path / "weights.pth"
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.save(QuickNet(num_classes=7).state_dict(), path)
    with pytest.raises(ValueError, match=r"head.weight is \(7, 8\) there and \(4, 8\) here.*this number of classes"):
        load_weights(net, path)
    torch.save({name: value for name, value in before.items() if not name.startswith("head")}, path)
    with pytest.raises(ValueError, match=r"does not fit QuickNet: missing head.weight, head.bias \(2 missing, 0"):
        load_weights(net, path)
    torch.save(zoo("resnet8", 4).state_dict(), path)
    with pytest.raises(ValueError, match=r"missing .*; unexpected conv1.weight.*is it the same network"):
        load_weights(net, path)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())  # nothing half loaded


def test_state_comes_back(tmp_path: Path) -> None:
    state = {"position": (3, 5), "best": (71.5, 2), "weights": {"a": torch.arange(3)}, "name": "KD"}
    save_state(tmp_path / "state.pt", state)
    loaded = load_state(tmp_path / "state.pt")
    assert loaded.pop("weights")["a"].tolist() == [0, 1, 2]  # type: ignore[index]
    assert loaded == {key: value for key, value in state.items() if key != "weights"}


@pytest.mark.parametrize("fails", ["fsync", "replace", "chmod"])
def test_a_failed_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "state.pt"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_a_file_that_grows_too_large_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write_atomically(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_weights(QuickNet(), path, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_an_interrupted_write_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "state.pt", b"new")
    assert list(tmp_path.iterdir()) == []
