"""`stillhouse inspect`: a finished distillation as it was, seen from all sides; anything else is refused."""

import csv
import json
from pathlib import Path
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest
from PIL import Image
from torch import nn

from stillhouse.__main__ import main
from stillhouse.analysis import plots
from stillhouse.checkpoints import save_weights
from stillhouse.cli.inspect import restore
from stillhouse.cli.options.inspect import InspectOptions, PictureOptions
from stillhouse.method import Method
from stillhouse.methods import AT, CE, KD
from stillhouse.methods.wrappers import SpotAdaptive
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from stillhouse.training.student import StudentTrainer
from tests.helpers.commands import contents
from tests.helpers.data import quick_data
from tests.helpers.networks import quick_net_file
from tests.helpers.training import assert_same, teacher_net, trainer


def _methods() -> list[Method]:
    return [CE(), SpotAdaptive([KD(), AT()], prior=0.0)]


@pytest.fixture
def finished(tmp_path: Path) -> StudentTrainer:
    teacher = teacher_net()
    one = trainer(_methods(), teacher, tmp_path, "taught")
    fit(Classroom(teacher, [one]), quick_data(), "cpu")
    return one


def test_student_and_methods_are_restored_as_they_ended(finished: StudentTrainer, tmp_path: Path) -> None:
    again = trainer(_methods(), teacher_net(), tmp_path / "elsewhere", "taught")
    assert restore(again, finished.run.folder) == []
    assert_same(again.distillation.state_dict(), finished.distillation.state_dict())
    method = again.distillation.methods["SpotAdaptive"]
    assert isinstance(method, SpotAdaptive)
    assert method.decisions.seen.sum() == 40  # images of the last epoch


def test_files_that_a_run_lacks_are_said(finished: StudentTrainer, tmp_path: Path) -> None:
    (finished.run.folder / "methods.safetensors").unlink()
    again = trainer(_methods(), teacher_net(), tmp_path / "elsewhere", "taught")
    (note,) = restore(again, finished.run.folder)
    assert note.endswith("has no methods.safetensors, so its methods are shown as they were before training")


def test_methods_without_a_state_leave_no_file(tmp_path: Path) -> None:
    teacher = teacher_net()
    one = trainer([CE(), KD()], teacher, tmp_path, "plain")
    fit(Classroom(teacher, [one]), quick_data(), "cpu")
    assert not (one.run.folder / "methods.safetensors").exists()
    assert restore(trainer([CE(), KD()], teacher_net(), tmp_path, "plain"), one.run.folder) == []


@pytest.mark.parametrize("command", ["train", "distill", "unfinished", "nothing"])
def test_only_a_finished_distillation_is_inspected(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    if command != "nothing":
        run.mkdir()
    if command == "unfinished":
        (run / "state.pt").touch()
    if command == "train":
        (run / "result.json").write_text('{"top1": 70.0, "top5": 90.0, "test_loss": 1.0, "best_top1": 70.0}')
        save_weights(nn.Linear(2, 2), run / "student.safetensors", {})
        (run / "config.yaml").write_text("model: resnet8\nepochs: 3\n")
    assert main(["inspect", str(run)]) == 2
    expected = {
        "train": f"{run} is the run of a network that learned by itself; give that of a run of stillhouse distill",
        "distill": f"{run} holds no run (it has no result.json)",
        "unfinished": f"{run} is not finished; the command that began it continues it",
        "nothing": f"there is no folder or data set {run} (the folder {tmp_path} exists); give a finished run of "
        "stillhouse distill, or data",
    }
    assert capsys.readouterr().err == f"stillhouse: {expected[command]}\n"


def test_misspelt_words_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "runs/x", "--image", "7"]) == 2
    assert "stillhouse inspect has no option --image. Did you mean --images?" in capsys.readouterr().err
    assert main(["inspect", "--run", "runs/x"]) == 2
    assert "stillhouse inspect takes the run without --run: stillhouse inspect RUN." in capsys.readouterr().err


def test_what_moved_counts_instead_of_the_configuration(tmp_path: Path) -> None:
    here = {"folder": tmp_path}
    assert InspectOptions(str(tmp_path / "run")).instead() == here
    moved = InspectOptions(str(tmp_path / "run"), teacher="there/teacher", data="there/pets").instead()
    assert moved == {**here, "teacher": "there/teacher", "teacher_weights": None, "data": "there/pets"}


def test_formats_of_pictures_are_chosen() -> None:
    assert PictureOptions().formats == ["svg", "png", "pdf"]
    assert PictureOptions("pdf, png").formats == ["pdf", "png"]
    assert PictureOptions().in_words() == ".svg, .png and .pdf"
    assert PictureOptions("pdf").in_words() == ".pdf"
    for bad in ("", ",", "jpg", "pdf,eps"):
        with pytest.raises(ValueError, match="--format takes svg, png, pdf, or several of them with commas"):
            PictureOptions(bad)


def test_the_command_from_a_run_to_its_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nets, runs = quick_net_file(tmp_path), tmp_path / "runs"
    words = f"--epochs 8 --batch_size 64 --folder {runs} --device cpu"
    distill = ["distill", "--teacher", f"{nets}:wide", "--student", f"{nets}:small", "--baseline", "false"]
    methods = "CE, SpotAdaptive([ScaleDecoupled(KD, scales=[1, 2]), AT], prior=0.0)"
    assert main([*distill, "--methods", methods, *words.split()]) == 0
    (run,) = runs.glob("*from*")
    capsys.readouterr()

    command = ["inspect", str(run), "--device", "cpu", "--images", "64"]
    assert main(command) == 2
    assert "it is not run; if it is yours, type the command in the folder that holds both" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    assert main(command) == 0
    outputs = capsys.readouterr().out
    assert outputs.count("note") == 1
    assert "no run of the student by itself lies beside it, so no picture shows a baseline" in outputs
    names = ["training", "SpotAdaptive", "SpotAdaptive_classes", "SpotAdaptive_images"]
    names += ["classes", "confusion", "reliability", "logits", "alignment", "embeddings", "terms"]
    assert f"inspection: summary.csv, classes.csv, terms.csv, and as .svg, .png and .pdf {', '.join(names)}" in outputs
    for name in names:
        ElementTree.parse(run / "inspection" / f"{name}.svg")
        with Image.open(run / "inspection" / f"{name}.png") as image:
            image.verify()
        assert (run / "inspection" / f"{name}.pdf").read_bytes().startswith(b"%PDF")

    result = json.loads((run / "result.json").read_text())
    summary = {row[0]: row[1:] for row in csv.reader((run / "inspection" / "summary.csv").read_text().splitlines())}
    assert float(summary["top-1 %"][1]) == pytest.approx(result["top1"])
    *_, metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert float(summary["agreement %"][1]) == pytest.approx(metrics["agreement"])
    classes = list(csv.DictReader((run / "inspection" / "classes.csv").read_text().splitlines()))
    assert sum(int(row["images"]) for row in classes) == 359
    right = sum(int(row["images"]) * float(row["student %"]) for row in classes) / 359
    assert right == pytest.approx(result["top1"])
    assert [float(row["gain"]) for row in classes] == sorted(float(row["gain"]) for row in classes)
    assert all(0 <= float(row["SpotAdaptive.likely/stage1"]) <= 1 for row in classes)

    terms = list(csv.DictReader((run / "inspection" / "terms.csv").read_text().splitlines()))
    assert [row["term of the loss"] for row in terms] == ["CE", "SpotAdaptive"]
    assert sum(float(row["gradient %"]) for row in terms) == pytest.approx(100)
    assert list(result["gradient_norms"]) == ["1", "3", "10", "30", "100"]

    before = contents(run)
    with monkeypatch.context() as killed:
        killed.setattr(plots, "save", Mock(side_effect=[None, KeyboardInterrupt]))
        assert main(["inspect", str(run), "--device", "cpu"]) == 2
    assert contents(run) == before
    rows = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").unlink()
    assert main(["inspect", str(run), "--device", "cpu"]) == 2
    assert "metrics.jsonl has 0 of 8 epochs; restore it" in capsys.readouterr().err
    (run / "metrics.jsonl").write_bytes(rows)

    (tmp_path / "elsewhere").mkdir()  # not beside the code that it names
    moved = run.rename(tmp_path / "elsewhere" / f"moved-{run.name[-8:]}")
    assert main(["inspect", str(moved), "--device", "cpu"]) == 2
    assert "is not in" in capsys.readouterr().err
    (teacher,) = runs.iterdir()
    monkeypatch.setattr(plots, "save", lambda figure, path, formats: None)  # drawing takes seconds
    (moved / "methods.safetensors").unlink()
    assert main(["inspect", str(moved), "--device", "cpu", "--teacher", str(teacher)]) == 0
    outputs = capsys.readouterr().out
    assert "has no methods.safetensors" in outputs
    assert "was made with another" not in outputs  # the same teacher, wherever it is
