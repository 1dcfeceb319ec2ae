"""`stillhouse probe`: a linear classifier on a run's features of other data, kept in the run's folder."""

import json
from pathlib import Path

import pytest
import torch

from stillhouse.training.run_files import read_result
from tests.helpers.commands import World, contents, done, only, refusal
from tests.helpers.pictures import write_classes

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Pictures of two other classes, larger than those that the run knows."""
    for split, count in (("train", 12), ("test", 5)):
        write_classes(tmp_path / "other" / split, ("day", "night"), count, width=20)
    return tmp_path / "other"


def test_the_outcome_is_printed_and_kept_beside_the_run(
    world: World, other: Path, tmp_path: Path, capsys: Capture
) -> None:
    done(capsys, ["train", "--model", f"{world.nets}:small", *world.small(tmp_path / "runs", 1)])
    run = only(tmp_path / "runs")
    before, result = contents(run), read_result(run)
    words = ["probe", str(run), "--data", str(other), "--device", "cpu"]
    out = done(capsys, words)
    file = only(run / "probes", "other-")
    kept = json.loads(file.read_text())
    assert f"other: {kept['top1']:.2f} % top-1 on 10 test images" in out.replace("small on ", "")
    assert f"on {kept['features']} features of 24 training images" in out
    assert "other: 24 training, 10 test images, 16x16 pixels" in out  # as large as those that the run knows
    assert f"kept in {file}" in out
    assert (kept["image_size"], kept["train_images"], kept["classes"]) == (16, 24, 2)
    about = json.loads((run / "result.json").read_text())
    assert (kept["mean"], kept["std"]) == (about["mean"], about["std"])
    assert {name: value for name, value in contents(run).items() if not name.startswith("probes/")} == before
    assert read_result(run) == result
    first = file.read_bytes()
    done(capsys, words)
    assert file.read_bytes() == first

    out = done(capsys, [*words, "--train_fraction", "0.5"])
    assert "of 12 training images" in out
    assert len(list((run / "probes").iterdir())) == 2


def test_images_are_shown_as_the_network_knows_them(world: World, other: Path, tmp_path: Path, capsys: Capture) -> None:
    """Given in other units they would be other images for it, and other features."""
    data = ["--data", str(other), "--device", "cpu"]
    done(capsys, ["train", "--model", f"{world.nets}:small", *world.small(tmp_path / "runs", 1)])
    run = only(tmp_path / "runs")
    about = json.loads((run / "result.json").read_text())
    done(capsys, ["probe", str(run), *data])
    first = json.loads(only(run / "probes").read_text())
    assert first["mean"] == about["mean"]
    words = ["--mean", ",".join(map(str, about["mean"])), "--std", ",".join(map(str, about["std"]))]
    file = [f"{world.nets}:small", "--weights", str(run / "model.safetensors"), "--image_size", "16", *words]
    out = done(capsys, ["probe", *file, *data])
    assert f"{first['top1']:.2f} % top-1 on 10 test images" in out
    assert "note: the result is not saved" in out


def test_a_network_that_cannot_be_probed_is_refused(world: World, other: Path, tmp_path: Path, capsys: Capture) -> None:
    data = ["--data", str(other), "--device", "cpu"]
    assert "is a network without weights; give its --weights" in refusal(capsys, ["probe", "resnet8", *data])
    assert "there is no" in refusal(capsys, ["probe", str(tmp_path / "none"), *data])
    (tmp_path / "nets.py").write_text(
        "import torch\n\n\nclass Headless(torch.nn.Module):\n    def __init__(self, num_classes):\n"
        "        super().__init__()\n        self.map = torch.nn.Conv2d(3, num_classes, 3)\n\n"
        "    def forward(self, x):\n        return self.map(x).mean((2, 3))\n"
    )
    weights = tmp_path / "weights.pth"
    torch.save(torch.nn.ModuleDict({"map": torch.nn.Conv2d(3, 2, 3)}).state_dict(), weights)
    words = ["probe", f"{tmp_path}/nets.py:Headless", "--weights", str(weights), *data]
    assert "no classifier was found at the end of this Headless" in refusal(capsys, words)


def test_crds_protocol_is_kept_beside_the_other_one(
    world: World, other: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.analysis.sgd_probe.EPOCHS", 5)
    done(capsys, ["train", "--model", f"{world.nets}:small", *world.small(tmp_path / "runs", 1)])
    run = only(tmp_path / "runs")
    words = ["probe", str(run), "--data", str(other), "--device", "cpu"]
    done(capsys, words)
    out = done(capsys, [*words, "--protocol", "crd", "--weight_decay", "0.0005"])
    assert "note: protocol crd is for images of 32 px, and these are shown at 16" in out
    assert "note: protocol crd normalises by CIFAR-100's mean, and this network knows another one" in out
    assert "SGD for 5 epochs, learning rate 0.05 / 10 after 150, 180, 210, weight decay 0.0005, seed 0" in out
    assert "published" not in out  # for other data
    done(capsys, [*words, "--protocol", "crd", "--seed", "1"])
    kept = [json.loads(file.read_text()) for file in (run / "probes").iterdir()]
    assert len(kept) == 3
    by_sgd = sorted((one["weight_decay"], one["seed"]) for one in kept if one.get("protocol") == "crd")
    assert by_sgd == [(0, 1), (0.0005, 0)]
    assert "words" not in kept[0]
    assert "--seed is for --protocol crd" in refusal(capsys, [*words, "--seed", "1"])
