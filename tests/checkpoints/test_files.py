"""Files of our own come back as they were written, none is ever half there, and a damaged one is named."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

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


class Malicious:
    """A pickle of it makes a file when it is read carelessly."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.path}",)


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


def test_a_state_that_would_run_code_is_not_executed(tmp_path: Path) -> None:
    torch.save({"position": (1, 0), "extra": Malicious(tmp_path / "trap")}, tmp_path / "state.pt")
    with pytest.raises(ValueError, match=r"state.pt is damaged .*; move .* away to start again"):
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
    with pytest.raises(ValueError, match=r"state.pt (is damaged|holds a list).*; move .* away to start again"):
        load_state(path)


def test_a_header_that_is_no_description_is_refused_or_ignored(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(QuickNet().state_dict(), path, {"stillhouse": "{"})
    with pytest.raises(ValueError, match=r"weights.safetensors"):
        about_weights(path)
    save_file(QuickNet().state_dict(), path, {"stillhouse": json.dumps([1, 2])})
    assert about_weights(path) == {}


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
