"""`stillhouse distill`, from an empty folder to a table, and what it refuses to do."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stillhouse.cli.arguments import parse
from stillhouse.cli.distill import opened
from stillhouse.cli.options.distill import Distill
from stillhouse.data import Split
from stillhouse.training.evaluation import Scores
from stillhouse.training.progress import Display
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.commands import World, contents, done, only, refusal
from tests.helpers.pictures import write_pictures

Capture = pytest.CaptureFixture[str]


def test_distill_from_a_run_ends_with_a_table(world: World, tmp_path: Path, capsys: Capture) -> None:
    before = contents(world.runs)
    out = done(capsys, world.distill(tmp_path, "--methods", "CE,KD,AT"))
    assert contents(world.runs) == before
    alone, taught = only(tmp_path, "pictures-my_nets.py_small-seed0"), only(tmp_path, "pictures-my_nets.py_small-from")
    assert "AT reads stage1, stage2" in out
    table = out[out.rindex("network") : out.rindex("gain: ")]
    for run, name in ((alone, "by itself"), (taught, "CE+KD+AT")):
        top1 = json.loads((run / "result.json").read_text())["top1"]
        (line,) = (line for line in table.splitlines() if name in line)
        assert f"{top1:.2f}" in line
        assert f"{top1:.2f} |" in (taught / "README.md").read_text()
    assert "95 % interval" in (taught / "README.md").read_text().partition("## Compared with")[2]
    assert "Not compared" in (alone / "README.md").read_text()
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


@pytest.mark.parametrize(("validation", "times"), [("0", 1), ("0.2", 2)])
def test_a_teacher_is_measured_once_on_the_same_images(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, validation: str, times: int
) -> None:
    measured, original = list[Split](), Teacher.scores

    def scores(teacher: Teacher, split: Split, device: torch.device) -> Scores:
        measured.append(split)
        return original(teacher, split, device)

    monkeypatch.setattr(Teacher, "scores", scores)
    words = world.distill(tmp_path, "--baseline", "false", "--validation", validation, epochs=1)
    first = done(capsys, words)
    again = done(capsys, words)  # finished
    assert again[again.rindex("network") :] == first[first.rindex("network") :]
    assert len(measured) == 2 * times
    assert len({id(split) for split in measured}) == 2 * times


def test_distill_trains_the_teacher_first_where_there_is_none(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["distill", "--teacher", f"{world.nets}:wide", "--student", f"{world.nets}:small", "--baseline", "false"]
    out = done(capsys, [*words, *world.small(tmp_path, 4)])
    assert "it is trained first (or give --teacher_weights)" in out
    assert only(tmp_path, "pictures-my_nets.py_wide").name == world.teacher.name  # as `stillhouse train` had it
    trained, ours = (
        load_file(run / "model.safetensors") for run in (only(tmp_path, world.teacher.name), world.teacher)
    )
    assert all(torch.equal(trained[name], ours[name]) for name in ours)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_teacher_may_be_a_name_and_a_file_of_weights(world: World, tmp_path: Path, capsys: Capture) -> None:
    weights = load_file(world.teacher / "model.safetensors")
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
    assert re.search(rf"^{re.escape(student)} CE\+KD +1/1 ", out, re.MULTILINE)


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
    words[words.index(methods)] = "CE,KD,AT"
    outputs = refusal(capsys, words) if teacher == "timm:test_vit" else ""
    assert ("AT compares maps (N, C, H, W), but the teacher's features are (2, 5, 64)" in outputs) == bool(outputs)


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


def test_a_temperature_of_nothing_is_refused_before_data_are_read(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    outputs = refusal(capsys, world.distill(tmp_path, "--methods", "CE,KD(temperature=0)", "--data", "./nowhere"))
    assert "KD: temperature must be at least 0.001, because logits are divided by it, not 0" in outputs


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
    assert outputs == "stillhouse: stopped in epoch 2 after step 1; run the same command again to resume\n"
    assert "resumes at epoch 2 of 3, step 2" in done(capsys, words)
    for name, (_, content) in contents(tmp_path / "whole").items():
        if name.endswith("safetensors"):
            assert (tmp_path / "stopped" / name).read_bytes() == content


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

    torch.save(load_file(world.teacher / "model.safetensors"), tmp_path / "bare.pth")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    (unfinished / "state.pt").write_bytes(b"")
    assert "holds no run (it has no result.json)" in outputs(str(world.pictures))
    assert "is not finished; the command that began it continues it" in outputs(str(unfinished))
    assert f"there is no {tmp_path}/nowhere (the folder {tmp_path} exists); give" in outputs(str(tmp_path / "nowhere"))
    assert "does not say which network it holds; give the network by name" in outputs(str(tmp_path / "bare.pth"))
    assert "already has weights; leave out --teacher_weights" in outputs(
        str(world.teacher), "--teacher_weights", "x.pth"
    )
    assert "there is no file x.pth" in outputs("resnet8", "--teacher_weights", "x.pth")
    assert "there are no pretrained weights for resnet8" in outputs("resnet8", "--teacher_weights", "pretrained")


def test_teachers_that_do_not_know_the_classes_are_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    def outputs(data: Path, *more: str) -> str:
        words = world.distill(tmp_path / "runs", *more)
        words[words.index(str(world.pictures))] = str(data)
        return refusal(capsys, words)

    five = write_pictures(tmp_path / "five", ("a", "b", "c", "d", "e"))
    renamed = write_pictures(tmp_path / "renamed", ("ant", "bee", "dog"))
    assert "the teacher predicts 3 classes, but the data have 5" in outputs(five)
    assert "was not trained on these classes (it does not know dog)" in outputs(renamed)
    weights = load_file(world.teacher / "model.safetensors")
    shuffled, untrained = tmp_path / "shuffled.pth", tmp_path / "untrained.pth"
    order = torch.tensor([1, 2, 0])
    torch.save(weights | {f"head.{part}": weights[f"head.{part}"][order] for part in ("weight", "bias")}, shuffled)
    torch.save(weights | {"head.weight": torch.zeros(3, 16)}, untrained)
    wide = ["--teacher", f"{world.nets}:wide", "--teacher_weights"]
    assert "its class order is not the data's" in outputs(world.pictures, *wide, str(shuffled))
    assert (
        "no better than chance (33.33 % for always predicting the most frequent class): its head is untrained"
        in outputs(world.pictures, *wide, str(untrained))
    )
    assert not (tmp_path / "runs").exists()


def test_a_trained_teacher_is_brought_with_the_data(world: World, tmp_path: Path) -> None:
    quiet = Display(quiet=True)
    command = parse("distill", Distill, world.distill(tmp_path, "--teacher_precision", "bfloat16")[1:])
    shared = opened(command, quiet)
    assert shared.is_trained
    assert shared.teacher is not None
    assert shared.teacher.net.precision == torch.bfloat16
    assert shared.complete(command).run.config.epochs == 2
    assert opened(command, quiet, needs_teacher=False).teacher is None


def test_a_teacher_that_is_given_images_read_in_another_way_is_said_wherever_it_is_read(
    world: World, tmp_path: Path, capsys: Capture
) -> None:
    opened(parse("distill", Distill, world.distill(tmp_path, "--resize", "pad")[1:]), Display())
    said = " ".join(capsys.readouterr().out.split())
    assert "was trained on images that were read with resize crop, and is given those read with resize pad" in said


def test_a_teacher_without_weights_is_none_yet(world: World, tmp_path: Path) -> None:
    words = world.distill(tmp_path)[1:]
    words[1] = f"{world.nets}:wide"
    shared = opened(parse("distill", Distill, words), Display(quiet=True))
    assert (shared.teacher, shared.is_trained) == (None, False)
