"""`stillhouse train`: a run folder and a table, interruptions and bad days, and what it refuses to do."""

import errno
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stillhouse.__main__ import main
from stillhouse.checkpoints import save_state
from stillhouse.training import loop
from stillhouse.training.run_folder import Run
from tests.helpers.commands import World, contents, done, only, refusal
from tests.helpers.pictures import write_pictures

Capture = pytest.CaptureFixture[str]


def test_train_leaves_a_run_and_the_same_command_again_its_table(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path)]
    first = done(capsys, words)
    assert " 2/2 " in first
    run = only(tmp_path)
    assert run.name.startswith("pictures-my_nets.py_small-seed0-")
    files = {path.name for path in run.iterdir() if not path.name.startswith("events")}
    weights = {f"{name}.safetensors" for name in ("model", "best", "predictions")}
    assert files == {"config.yaml", "metrics.jsonl", "result.json", "lock", "README.md", *weights}
    before = contents(tmp_path)
    again = done(capsys, words)
    assert "already trained" in again
    assert " 2/2 " not in again
    assert contents(tmp_path) == before
    assert again.splitlines()[-5:] == first.splitlines()[-5:]


def test_train_begins_with_given_weights(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:wide", *world.small(tmp_path, 1), "--lr", "1e-12"]
    done(capsys, [*words, "--weights", str(world.teacher / "model.safetensors")])
    trained, begun = (load_file(run / "model.safetensors") for run in (only(tmp_path), world.teacher))
    assert torch.allclose(trained["head.weight"], begun["head.weight"])


def test_config_may_be_varied(world: World, tmp_path: Path, capsys: Capture) -> None:
    config = str(world.teacher / "config.yaml")
    done(capsys, ["train", "--config", config, "--folder", str(tmp_path), "--epochs", "1", "--seed", "3"])
    result = json.loads((only(tmp_path, "pictures-my_nets.py_wide-seed3") / "result.json").read_text())
    assert result["epochs"] == 1


def test_weights_for_images_of_another_size_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", "timm:test_vit", *world.small(tmp_path, 1), "--image_size", "32"]
    done(capsys, words)
    evaluate = ["evaluate", str(only(tmp_path)), "--data", str(world.pictures), "--device", "cpu", "--image_size"]
    assert "24 images" in done(capsys, [*evaluate, "32"])
    outputs = refusal(capsys, [*evaluate, "48"])
    assert "pos_embed is (1, 5, 64) in the file and (1, 10, 64) in the network" in outputs
    assert "at this --image_size" in outputs


def test_so_does_what_a_network_imports(world: World, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "importing_net.py").write_text("from imported_part import small")
    part = tmp_path / "imported_part.py"
    part.write_text(Path(world.nets).read_text())
    words = ["train", "--model", f"{tmp_path}/importing_net.py:small", *world.small(tmp_path / "runs", epochs=1)]
    done(capsys, words)
    assert "already trained" in done(capsys, words)
    part.write_text(part.read_text() + "# changed")
    assert "already trained" not in done(capsys, words)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: os.truncate(path, 100)], ids=["missing", "cut off"])
def test_a_finished_run_without_its_student_is_no_finished_run(
    world: World, tmp_path: Path, capsys: Capture, spoil: Callable[[Path], None]
) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, epochs=1)]
    done(capsys, words)
    weights = only(tmp_path) / "model.safetensors"
    spoil(weights)
    assert f"{weights} is missing or cut off; restore it, or move {only(tmp_path)} away" in refusal(capsys, words)


def test_a_network_for_other_classes_is_refused_before_it_is_trained(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "seven.py").write_text(Path(world.nets).read_text() + "\n\ndef seven():\n    return small(7)\n")
    words = ["train", "--model", f"{tmp_path}/seven.py:seven", *world.small(tmp_path / "runs", epochs=1)]
    assert "must return one logit for each of the 3 classes, but" in refusal(capsys, words)


def test_a_run_that_another_version_left_is_not_taken_up(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 1)]
    done(capsys, words)
    run = only(tmp_path)
    (run / "result.json").unlink()
    for state in ({"position": (0, 0)}, {"other": 3}):
        save_state(run / "state.pt", state)
        before = (run / "state.pt").read_bytes()
        assert "is damaged or of another version of the code (" in refusal(capsys, words)
        assert (run / "state.pt").read_bytes() == before


def test_a_full_disk_is_a_sentence_and_nothing_is_lost(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 3)]
    replace, written = os.replace, []

    def fills_up(source: str, target: Path) -> None:
        written.append(target.name)
        if written.count("state.pt") == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fills_up)
        outputs = refusal(capsys, words)
    assert "No space left on device" in outputs
    assert f"{only(tmp_path)}/state.pt" in outputs
    assert "make room, or choose another --folder; nothing that was saved is lost" in outputs
    assert "resumes at epoch 2 of 3" in done(capsys, words)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_nobody_may_write_to_is_named(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    outputs = refusal(capsys, ["train", "--model", "resnet8", *world.small(tmp_path / "runs")])
    assert os.strerror(number) in outputs
    assert str(tmp_path / "runs") in outputs


def test_a_run_that_another_process_works_on_is_left_alone(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 1)]
    done(capsys, words)
    other = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 2)]
    done(capsys, other)
    busy = next(run for run in tmp_path.iterdir() if json.loads((run / "result.json").read_text())["epochs"] == 2)
    for name in ("result.json", "model.safetensors"):
        (busy / name).unlink()
    holder = Run(tmp_path, "", {}, {})
    holder.folder = busy
    with holder:
        before = contents(tmp_path)
        outputs = refusal(capsys, other)
        assert contents(tmp_path) == before
    assert f"{busy} is in use by another process; wait for it, choose another --folder" in outputs
    done(capsys, other)


@pytest.mark.parametrize(("lr", "kept"), [("1e9", "nothing is kept in "), ("1e3", " keeps the last good state")])
def test_numbers_that_are_none_stop_the_run_and_are_never_saved(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, lr: str, kept: str
) -> None:
    monkeypatch.setattr(loop, "LOOK_EVERY", float("inf"))  # losses are looked at after each epoch, however slow it is
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 9), "--lr", lr]
    outputs = refusal(capsys, words)
    assert "small by itself: " in outputs
    assert " became NaN or inf at epoch" in outputs
    assert kept in outputs
    assert "lower --lr" in outputs
    assert not (only(tmp_path) / "result.json").exists()
    for file in only(tmp_path).glob("*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(file).values())
    assert refusal(capsys, words) == outputs  # resuming ends in the same place


def test_images_that_a_network_cannot_take_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    for model in ("torchvision:alexnet", "timm:vit_tiny_patch16_224"):
        outputs = refusal(capsys, ["train", "--model", model, *world.small(tmp_path / "runs"), "--image_size", "8"])
        assert "cannot take images of 8 px" in outputs
        assert "choose another network or --image_size" in outputs


def test_spoilt_data_are_named(world: World, tmp_path: Path, capsys: Capture) -> None:
    pictures = write_pictures(tmp_path / "pictures")
    words = ["train", "--model", "resnet8", "--data", str(pictures), "--folder", str(tmp_path / "runs")]
    victim = pictures / "train" / "bee" / "5.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    outputs = refusal(capsys, words)
    assert "bee/5.png cannot be read as an image" in outputs
    for image in (pictures / "train" / "cat").iterdir():
        image.unlink()
    assert "train/cat holds no images" in refusal(capsys, words)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_any_names_are_trained_on_and_shown_on_any_terminal(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    names = ("\u732b", "\x1b[31mred\x07", os.fsdecode(b"caf\xe9"))
    pictures = write_pictures(tmp_path / "Fr\u00fcchte \x1b[1m", names)
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding, write_through=True))
    words = [
        "train",
        "--model",
        f"{world.nets}:small",
        "--data",
        str(pictures),
        "--folder",
        str(tmp_path / "r\u00fcns"),
    ]
    assert main([*words, "--epochs", "1", "--batch_size", "16", "--device", "cpu"]) == 0
    out = shown.getvalue()
    assert b"top-1" in out
    assert rb"\x1b[1m" in out
    assert not {0x1B, 0x07} & set(out)
    assert json.loads((only(tmp_path / "r\u00fcns") / "result.json").read_text())["classes"] == sorted(names)
