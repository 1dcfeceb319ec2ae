"""Whatever wrote a file, its tensors are read, no code of it is run, and what it is otherwise is said."""

import argparse
import os
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stillhouse.checkpoints import about_weights, formats, load_weights, read_weights
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


def test_what_is_known_to_be_harmless_has_no_second_meaning(tmp_path: Path) -> None:
    """Of two meanings of a name PyTorch takes either, by their addresses in memory."""
    torch.save(like_rep_distiller({}), tmp_path / "weights.pth")
    assert formats._unknown_names(tmp_path / "weights.pth") == []


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


def test_any_other_text_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_text("junk\n")
    with pytest.raises(ValueError, match=r"net.pth is cut off or is not a PyTorch checkpoint"):
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


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds a list, not a state dict"),
        (torch.ones(3), "holds a Tensor, not a state dict"),
        ({"epoch": 3, "lr": 0.1}, "holds epoch, lr, but no weights"),
        ({}, "holds nothing, but no weights"),
        ({"model": {}}, "holds model, but no weights"),
        (
            {"state": {0: {"step": torch.ones(1)}}, "param_groups": []},
            "holds the state of an optimiser, but no weights",
        ),
        ({"config": {"weight": torch.ones(1)}}, "holds tensors under config, but no weights under any of model"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path: Path, content: object, sentence: str) -> None:
    torch.save(content, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match=sentence):
        read_weights(tmp_path / "odd.pth")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no file .*nowhere.pth.*; check the path"):
        load_weights(QuickNet(), tmp_path / "nowhere.pth")


class Anything:
    """An object of a class of somebody's own."""

    def __init__(self) -> None:
        self.values = {"a": [1, 2]}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_what_else_a_training_left_beside_the_weights_is_passed_over(tmp_path: Path, legacy: bool) -> None:
    net, path = QuickNet(), tmp_path / "weights.pth"
    extra = {
        "args": argparse.Namespace(out=Path("runs"), seen={Path("a")}),
        "when": datetime(2024, 1, 1),
        "of": Anything(),
    }
    torch.save(
        {"model": net.state_dict(), "counts": defaultdict(list, a=[1]), **extra},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    assert torch.equal(read_weights(path)["head.bias"], net.head.bias)


def test_nothing_of_pythons_own_is_read_even_if_it_would_not_be_run(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[object, ...]:
            return eval, ("open('trap', 'w')",)

    torch.save({"model": QuickNet().state_dict(), "extra": Runs()}, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"holds more than weights \(eval\) and reading it could run code"):
        read_weights(tmp_path / "weights.pth")


def test_a_file_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    net = QuickNet()
    save_file(net.state_dict(), tmp_path / "really_safetensors.pth")
    assert torch.equal(read_weights(tmp_path / "really_safetensors.pth")["head.bias"], net.head.bias)


def test_a_checkpoint_that_holds_itself_is_read_in_time(tmp_path: Path) -> None:
    content: dict[str, object] = {"epoch": 1}
    content["model"] = content
    torch.save(content, tmp_path / "itself.pth")
    with pytest.raises(ValueError, match=r"itself.pth holds epoch, model, but no weights"):
        read_weights(tmp_path / "itself.pth")
    content["state_dict"] = QuickNet().state_dict()
    torch.save(content, tmp_path / "itself.pth")
    assert "head.bias" in read_weights(tmp_path / "itself.pth")


def nested(depth: int) -> bytes:
    """A pickle of dictionaries in dictionaries, deeper than Python's own stack."""
    return b"\x80\x02" + b"}X\x05\x00\x00\x00model" * depth + b"}" + b"s" * depth + b"."


@pytest.mark.parametrize("depth", [50, 50_000])
def test_deep_nesting_is_a_sentence_in_time(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "deep.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("deep/data.pkl", nested(depth))
        archive.writestr("deep/version", "3\n")
        archive.writestr("deep/byteorder", "little")
    with pytest.raises(ValueError, match=r"deep.pth (holds model, but no weights|was not read|is cut off)") as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
