"""What the commands do, from an empty folder to a table, and what they refuse to do."""

import errno
import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stillhouse.__main__ import main
from stillhouse.checkpoints import save_state
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run
from tests.helpers.commands import World, contents
from tests.helpers.pictures import write_pictures

Capture = pytest.CaptureFixture[str]


def refusal(capsys: Capture, words: list[str]) -> str:
    """What a command says when it refuses: one line on stderr, and exit code 2."""
    capsys.readouterr()
    assert main(words) == 2
    outputs = capsys.readouterr().err
    assert outputs.startswith("stillhouse: ")
    assert outputs.count("\n") == 1
    return outputs


def done(capsys: Capture, words: list[str]) -> str:
    """What a command prints when all is well: nothing on stderr, and exit code 0."""
    capsys.readouterr()
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def only(folder: Path, begins: str = "") -> Path:
    (run,) = (path for path in folder.iterdir() if path.name.startswith(begins))
    return run


# train


def test_train_leaves_a_run_and_the_same_command_again_its_table(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path)]
    first = done(capsys, words)
    assert "epoch 2/2" in first
    run = only(tmp_path)
    assert run.name.startswith("pictures-my_nets.py_small-seed0-")
    files = {path.name for path in run.iterdir() if not path.name.startswith("events")}
    assert files == {"config.yaml", "metrics.jsonl", "student.safetensors", "best.safetensors", "result.json", "lock"}
    before = contents(tmp_path)
    again = done(capsys, words)
    assert "already trained" in again
    assert "epoch 2/2" not in again
    assert contents(tmp_path) == before
    assert again.splitlines()[-5:] == first.splitlines()[-5:]


def test_train_begins_with_given_weights(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:wide", *world.small(tmp_path, 1), "--lr", "1e-12"]
    done(capsys, [*words, "--weights", str(world.teacher / "student.safetensors")])
    trained, begun = (load_file(run / "student.safetensors") for run in (only(tmp_path), world.teacher))
    assert torch.allclose(trained["head.weight"], begun["head.weight"])


# distill


def test_distill_from_a_run_ends_with_a_table(world: World, tmp_path: Path, capsys: Capture) -> None:
    before = contents(world.runs)
    out = done(capsys, world.distill(tmp_path, "--methods", "CE,KD,AT"))
    assert contents(world.runs) == before
    alone, taught = only(tmp_path, "pictures-my_nets.py_small-seed0"), only(tmp_path, "pictures-my_nets.py_small-from")
    assert "AT reads stage1, stage2" in out
    table = out[out.rindex("network") :]
    for run, name in ((alone, "by itself"), (taught, "CE+KD+AT")):
        top1 = json.loads((run / "result.json").read_text())["top1"]
        (line,) = (line for line in table.splitlines() if name in line)
        assert f"{top1:.2f}" in line
    rows = [json.loads(line) for line in (taught / "metrics.jsonl").read_text().splitlines()]
    assert [set(row) >= {"CE", "KD", "AT", "top1", "agreement"} for row in rows] == [True, True]


def test_distill_again_says_it_is_done_and_config_repeats_it(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = world.distill(tmp_path, "--methods", "CE, KD(temperature=2)")
    first = done(capsys, words)
    before = contents(tmp_path)
    for again in (
        words,
        ["distill", "--config", str(only(tmp_path, "pictures-my_nets.py_small-from") / "config.yaml")],
    ):
        out = done(capsys, again)
        assert out.count("already trained") == 2
        assert out[out.rindex("network") :] == first[first.rindex("network") :]
        assert contents(tmp_path) == before


def test_config_may_be_varied(world: World, tmp_path: Path, capsys: Capture) -> None:
    config = str(world.teacher / "config.yaml")
    done(capsys, ["train", "--config", config, "--folder", str(tmp_path), "--epochs", "1", "--seed", "3"])
    result = json.loads((only(tmp_path, "pictures-my_nets.py_wide-seed3") / "result.json").read_text())
    assert result["epochs"] == 1


def test_distill_trains_the_teacher_first_where_there_is_none(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["distill", "--teacher", f"{world.nets}:wide", "--student", f"{world.nets}:small", "--baseline", "false"]
    out = done(capsys, [*words, *world.small(tmp_path, 4)])
    assert "it is trained first (or give --teacher_weights)" in out
    assert only(tmp_path, "pictures-my_nets.py_wide").name == world.teacher.name  # as `stillhouse train` had it
    trained, ours = (
        load_file(run / "student.safetensors") for run in (only(tmp_path, world.teacher.name), world.teacher)
    )
    assert all(torch.equal(trained[name], ours[name]) for name in ours)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_teacher_may_be_a_name_and_a_file_of_weights(world: World, tmp_path: Path, capsys: Capture) -> None:
    weights = load_file(world.teacher / "student.safetensors")
    torch.save({"model": {f"module.{name}": value for name, value in weights.items()}}, tmp_path / "teacher.pth")
    words = ["distill", "--student", f"{world.nets}:small", "--teacher", f"{world.nets}:wide", "--baseline", "false"]
    words += ["--teacher_weights", str(tmp_path / "teacher.pth")]
    done(capsys, [*words, *world.small(tmp_path / "runs", 1)])
    result = json.loads((only(tmp_path / "runs") / "result.json").read_text())
    assert result["network"] == f"{world.nets}:small"


def test_a_teacher_in_bfloat16_says_what_that_changes(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = world.distill(tmp_path, "--baseline", "false", epochs=1)
    done(capsys, words)
    out = " ".join(done(capsys, [*words, "--teacher_precision", "bfloat16"]).split())
    number = r"\d+\.\d\d %"
    assert re.search(
        rf"teacher in bfloat16: {number} top-1, {number} in float32; its probabilities differ by a KL divergence of "
        rf"[1-9]\.\de-0[2-9], and {number} of its guesses are the same",
        out,
    )
    first, second = (load_file(run / "student.safetensors") for run in tmp_path.glob("pictures-*"))
    assert any(not torch.equal(first[name], second[name]) for name in first)


SOURCES = ["my_nets_of_mine:small", "timm:test_resnet", "torchvision:shufflenet_v2_x0_5", "resnet8"]


@pytest.mark.parametrize("student", SOURCES)
def test_students_from_everywhere(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, student: str
) -> None:
    (tmp_path / "my_nets_of_mine.py").write_text(Path(world.nets).read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    out = done(capsys, world.distill(tmp_path / "runs", "--student", student, "--baseline", "false", epochs=1))
    assert f"{student} CE+KD  epoch 1/1" in out


@pytest.mark.parametrize(
    ("teacher", "methods"),
    [("timm:test_resnet", "CE,KD,AT"), ("timm:test_vit", "CE,KD"), ("torchvision:shufflenet_v2_x0_5", "CE,KD,AT")],
)
def test_teachers_from_everywhere(world: World, tmp_path: Path, capsys: Capture, teacher: str, methods: str) -> None:
    size = ["--image_size", "32", "--batch_size", "8"]
    done(capsys, ["train", "--model", teacher, *world.small(tmp_path / "teacher", 8), *size])
    words = ["distill", "--teacher", str(only(tmp_path / "teacher")), "--student", f"{world.nets}:small"]
    words += ["--methods", methods, "--baseline", "false", *world.small(tmp_path / "runs", 1), *size]
    assert f"{teacher} (teacher)" in done(capsys, words)
    outputs = refusal(capsys, [*words, "--methods", "CE,KD,AT"]) if teacher == "timm:test_vit" else ""
    assert ("AT compares maps (N, C, H, W), but the teacher's features are (2, 5, 64)" in outputs) == bool(outputs)


def test_weights_for_images_of_another_size_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", "timm:test_vit", *world.small(tmp_path, 1), "--image_size", "32"]
    done(capsys, words)
    evaluate = ["evaluate", str(only(tmp_path)), "--data", str(world.pictures), "--device", "cpu", "--image_size"]
    assert "24 images" in done(capsys, [*evaluate, "32"])
    outputs = refusal(capsys, [*evaluate, "48"])
    assert "pos_embed is (1, 5, 64) there and (1, 10, 64) here" in outputs
    assert "at this --image_size" in outputs


def test_a_method_of_ones_own_and_what_its_file_holds_make_the_run(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(Path(world.method).read_text())
    words = world.distill(tmp_path / "runs", "--methods", f"CE,{mine}:MyKD", "--baseline", "false", epochs=1)
    assert "MyKD reads logits" in done(capsys, words)
    assert "already trained" in done(capsys, words)
    mine.write_text(mine.read_text().replace(".square()", ".abs()"))
    assert "already trained" not in done(capsys, words)
    first, second = (json.loads((run / "metrics.jsonl").read_text()) for run in (tmp_path / "runs").iterdir())
    assert first["MyKD"] != second["MyKD"]


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
    weights = only(tmp_path) / "student.safetensors"
    spoil(weights)
    assert f"{weights} is missing or cut off; move {only(tmp_path)} away" in refusal(capsys, words)


def test_a_network_for_other_classes_is_refused_before_it_is_trained(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "seven.py").write_text(Path(world.nets).read_text() + "\n\ndef seven():\n    return small(7)\n")
    words = ["train", "--model", f"{tmp_path}/seven.py:seven", *world.small(tmp_path / "runs", epochs=1)]
    assert "answers with (7,) numbers for each image, and the data have 3 classes" in refusal(capsys, words)


def test_a_temperature_of_nothing_is_refused_before_data_are_read(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    outputs = refusal(capsys, world.distill(tmp_path, "--methods", "CE,KD(temperature=0)", "--data", "nowhere"))
    assert "KD: temperature divides logits and has to be positive, not 0.0" in outputs


# evaluate


def test_evaluate_says_what_the_run_said(world: World, tmp_path: Path, capsys: Capture) -> None:
    weights = tmp_path / "weights.pth"
    torch.save(load_file(world.teacher / "student.safetensors"), weights)
    top1 = json.loads((world.teacher / "result.json").read_text())["top1"]
    data = ["--data", str(world.pictures), "--device", "cpu"]
    for model in ([str(world.teacher)], [f"{world.nets}:wide", "--weights", str(weights)]):
        out = done(capsys, ["evaluate", *model, *data])
        assert f"{top1:.2f}" in out
        assert "24 images" in out


def test_a_file_may_be_evaluated_alone_unless_it_wants_to_run_code(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    data = ["--data", str(world.pictures), "--device", "cpu"]
    done(capsys, ["train", "--model", "resnet8", *world.small(tmp_path, 1)])
    done(capsys, ["evaluate", str(only(tmp_path) / "best.safetensors"), *data])
    outputs = refusal(capsys, ["evaluate", str(world.teacher / "best.safetensors"), *data])
    assert "best.safetensors wants to run " in outputs
    assert "if you trust that" in outputs


# interruptions


def test_ctrl_c_saves_and_the_same_command_ends_as_if_nothing_had_happened(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(capsys, world.distill(tmp_path / "whole", "--methods", "CE,KD", epochs=3))
    original = Display.epoch

    def interrupt(display: Display, room: object, epoch: int, steps: int, start: int = 0) -> None:
        original(display, room, epoch, steps, start)  # type: ignore[arg-type]
        if epoch == 1 and start == 0:
            os.kill(os.getpid(), signal.SIGINT)

    words = world.distill(tmp_path / "stopped", "--methods", "CE,KD", epochs=3)
    with monkeypatch.context() as patch:
        patch.setattr(Display, "epoch", interrupt)
        outputs = refusal(capsys, words)
    assert outputs == "stillhouse: stopped in epoch 2 after step 1; the same command goes on\n"
    assert "goes on at epoch 2 of 3, step 2" in done(capsys, words)
    for name, (_, content) in contents(tmp_path / "whole").items():
        if name.endswith("safetensors"):
            assert (tmp_path / "stopped" / name).read_bytes() == content


def test_a_run_that_another_version_left_is_not_taken_up(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 1)]
    done(capsys, words)
    run = only(tmp_path)
    (run / "result.json").unlink()
    for state in ({"position": (0, 0)}, {"other": 3}):
        save_state(run / "state.pt", state)
        before = (run / "state.pt").read_bytes()
        assert "was left by another version of the code (KeyError: " in refusal(capsys, words)
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
    assert "goes on at epoch 2 of 3" in done(capsys, words)


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
    (busy / "result.json").unlink()
    holder = Run(tmp_path, "", {}, {})
    holder.folder = busy
    with holder:
        before = contents(tmp_path)
        outputs = refusal(capsys, other)
        assert contents(tmp_path) == before
    assert f"{busy} is in use by another process; wait for it, choose another --folder" in outputs
    done(capsys, other)


@pytest.mark.parametrize(("lr", "kept"), [("1e38", "nothing is kept in "), ("1e3", " keeps the last good state")])
def test_numbers_that_are_none_stop_the_run_and_are_never_saved(
    world: World, tmp_path: Path, capsys: Capture, lr: str, kept: str
) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 9), "--lr", lr]
    outputs = refusal(capsys, words)
    assert "small by itself: " in outputs
    assert " is no finite number any more, from step" in outputs
    assert kept in outputs
    assert "lower --lr" in outputs
    assert not (only(tmp_path) / "result.json").exists()
    for file in only(tmp_path).glob("*.safetensors"):
        assert all(value.isfinite().all() for value in load_file(file).values())
    assert refusal(capsys, words) == outputs  # going on ends in the same place


# refusals, with the finished run of the world left as it is


def test_a_misspelt_student_does_not_wait_for_the_teacher(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["distill", "--teacher", f"{world.nets}:wide", "--student", "resent8", *world.small(tmp_path)]
    assert "there is no network 'resent8' in the zoo. Nearest: resnet8" in refusal(capsys, words)
    assert list(tmp_path.iterdir()) == []


def test_teachers_that_are_none_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    def outputs(teacher: str, *more: str) -> str:
        before = contents(world.runs)
        words = ["distill", "--student", f"{world.nets}:small", "--teacher", teacher]
        sentence = refusal(capsys, [*words, *world.small(tmp_path / "runs"), *more])
        assert contents(world.runs) == before
        assert not (tmp_path / "runs").exists()
        return sentence

    torch.save(load_file(world.teacher / "student.safetensors"), tmp_path / "bare.pth")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "state.pt").write_bytes(b"")
    assert "holds no run (it has no result.json)" in outputs(str(world.pictures))
    assert "is not finished; the command that began it continues it" in outputs(str(unfinished))
    assert f"there is no {tmp_path}/nowhere; give the folder of a finished run" in outputs(str(tmp_path / "nowhere"))
    assert "does not say which network it holds; give its name" in outputs(str(tmp_path / "bare.pth"))
    assert "already has weights; leave out --teacher_weights" in outputs(
        str(world.teacher), "--teacher_weights", "x.pth"
    )
    assert "there is no file x.pth" in outputs("resnet8", "--teacher_weights", "x.pth")
    assert "nobody offers pretrained weights for resnet8" in outputs("resnet8", "--teacher_weights", "pretrained")


def test_teachers_that_do_not_know_the_classes_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    def outputs(data: Path, *more: str) -> str:
        words = world.distill(tmp_path / "runs", *more)
        words[words.index(str(world.pictures))] = str(data)
        return refusal(capsys, words)

    five = write_pictures(tmp_path / "five", ("a", "b", "c", "d", "e"))
    renamed = write_pictures(tmp_path / "renamed", ("ant", "bee", "dog"))
    assert "tells 3 classes apart and five has 5" in outputs(five)
    assert "was not trained on these classes (it does not know dog)" in outputs(renamed)
    weights = load_file(world.teacher / "student.safetensors")
    shuffled, untrained = tmp_path / "shuffled.pth", tmp_path / "untrained.pth"
    order = torch.tensor([1, 2, 0])
    torch.save(weights | {f"head.{part}": weights[f"head.{part}"][order] for part in ("weight", "bias")}, shuffled)
    torch.save(weights | {"head.weight": torch.zeros(3, 16)}, untrained)
    wide = ["--teacher", f"{world.nets}:wide", "--teacher_weights"]
    assert "Its class order is not the data's" in outputs(world.pictures, *wide, str(shuffled))
    assert "no better than chance (33.33 %): its head is untrained" in outputs(world.pictures, *wide, str(untrained))
    assert not (tmp_path / "runs").exists()


def test_evaluate_refuses_what_it_cannot_measure(world: World, tmp_path: Path, capsys: Capture) -> None:
    data = ["--data", str(world.pictures), "--device", "cpu"]
    renamed = write_pictures(tmp_path / "renamed", ("ant", "bee", "dog"))
    outputs = refusal(capsys, ["evaluate", str(world.teacher), "--data", str(renamed)])
    assert "the network " in outputs
    assert "was not trained on these classes (it does not know dog)" in outputs
    assert "is a network without weights; give its --weights" in refusal(capsys, ["evaluate", "resnet8", *data])
    outputs = refusal(capsys, ["evaluate", str(world.teacher), *data, "--weights", "x.pth"])
    assert "already has weights; leave out --weights" in outputs


def test_a_folder_with_the_name_of_a_network_is_not_taken_for_it(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet8").mkdir()
    outputs = refusal(capsys, ["evaluate", "resnet8", "--data", str(world.pictures)])
    assert "resnet8 is a network without weights" in outputs


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
