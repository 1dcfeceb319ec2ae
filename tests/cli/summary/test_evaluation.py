"""The report of `stillhouse evaluate`: the networks beside the student, or a note about those that are not there."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stillhouse.training.predictions import read_predictions
from tests.helpers.commands import World, done, only, refusal

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(world: World, tmp_path: Path, capsys: Capture) -> Path:
    done(capsys, world.distill(tmp_path / "runs", epochs=1))
    return only(tmp_path / "runs", "pictures-my_nets.py_small-from")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing, which takes seconds."""
    monkeypatch.setattr("stillhouse.analysis.figures.save", lambda figures, *_: [name for name, _ in figures])


def _figures(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = json.loads((folder / "evaluation.json").read_text())
    return found


def test_student_teacher_and_baseline_are_beside_each_other(run: Path, world: World, capsys: Capture) -> None:
    out = done(capsys, ["evaluate", str(run), "--report", "true", "--device", "cpu"])
    found = _figures(run / "evaluation")["networks"]
    beside = {"student": run, "teacher": world.teacher, "baseline": only(run.parent, "pictures-my_nets.py_small-seed")}
    for role, folder in beside.items():
        assert found[role]["top1"] == pytest.approx(json.loads((folder / "result.json").read_text())["top1"], abs=1e-4)
        guesses = read_predictions(folder)
        assert guesses is not None
        assert found[role]["right"] == int(guesses.correct.sum())
    assert "note: no " not in out
    *_, gain, gap, size = out.splitlines()
    assert gain.startswith("gain over the baseline ")
    assert gap.startswith("gap to the teacher ")
    assert size.startswith("size: ")
    page = (run / "evaluation" / "evaluation.md").read_text()
    assert page.index("* gain over the baseline") < page.index("## Accuracy")
    assert str(run / "evaluation" / "evaluation.md").replace("\n", "") in out.replace("\n", "")
    assert {"flips_teacher.csv", "flips_baseline.csv", "classes.csv", "confusions.csv", "calibration.csv"} <= {
        path.name for path in (run / "evaluation").iterdir()
    }


def test_another_network_is_compared_image_by_image(run: Path, world: World, tmp_path: Path, capsys: Capture) -> None:
    weights = tmp_path / "old.pth"
    torch.save(load_file(run / "student.safetensors"), weights)
    folder = tmp_path / "report"
    words = ["evaluate", str(run), "--report", str(folder), "--device", "cpu", "--against"]
    done(capsys, [*words, str(weights)])
    assert _figures(folder)["student_minus"]["against"]["positive"] == 0
    assert _figures(folder)["student_minus"]["against"]["negative"] == 0
    done(capsys, [*words, str(only(run.parent, "pictures-my_nets.py_small-seed"))])
    one, other = (read_predictions(place) for place in (run, only(run.parent, "pictures-my_nets.py_small-seed")))
    assert one is not None
    assert other is not None
    rows = list(csv.DictReader((folder / "flips_against.csv").read_text().splitlines()))
    assert sum(int(row["negative flips"]) for row in rows) == int((other.correct & ~one.correct).sum())
    assert sum(int(row["positive flips"]) for row in rows) == int((one.correct & ~other.correct).sum())
    rows = list(csv.DictReader((folder / "mistakes.csv").read_text().splitlines()))
    wrong = (~one.correct).nonzero().flatten().tolist()
    assert sorted(int(row["image"]) for row in rows) == wrong
    assert all((row["against is right"] == "yes") == bool(other.correct[int(row["image"])]) for row in rows)


def test_what_is_not_found_is_said_in_a_note(run: Path, tmp_path: Path, capsys: Capture) -> None:
    shutil.rmtree(only(run.parent, "pictures-my_nets.py_small-seed"))
    out = " ".join(done(capsys, ["evaluate", str(run), "--report", "true", "--device", "cpu"]).split())
    assert "note: no baseline in the report: no run of the student by itself on these data lies beside the run" in out
    page = (run / "evaluation" / "evaluation.md").read_text()
    assert "note: no baseline in the report" in page
    assert "| teacher |" in page


def test_a_network_alone_has_a_report_where_the_user_says(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = [f"{world.nets}:wide", "--weights", str(world.teacher / "model.safetensors")]
    data = ["--data", str(world.pictures), "--device", "cpu"]
    said = refusal(capsys, ["evaluate", *words, *data, "--report", "true"])
    assert "is not the folder of a run; give a folder for the report: --report FOLDER" in said
    done(capsys, ["evaluate", *words, *data, "--report", str(tmp_path / "here")])
    assert list(_figures(tmp_path / "here")["networks"]) == ["student"]


def test_robustness_is_measured_on_so_many_images_or_left_out(run: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["evaluate", str(run), "--report", str(tmp_path / "report"), "--device", "cpu", "--robustness"]
    done(capsys, [*words, "9"])
    found = json.loads((tmp_path / "report" / "evaluation.json").read_text())["robustness"]
    assert (found["images"], found["of"], set(found["clean"])) == (9, 24, {"student", "teacher", "baseline"})
    assert all(0 <= count <= 9 for one in found["right"].values() for counts in one.values() for count in counts)
    done(capsys, [*words, "0"])
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["robustness"] is None


def test_what_cannot_be_meant_is_refused(run: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["evaluate", str(run), "--device", "cpu"]
    assert "--against is about the report; add --report true" in refusal(capsys, [*words, "--against", str(run)])
    assert "--format is about the report" in refusal(capsys, [*words, "--format", "svg"])
    assert "there is no folder" in refusal(capsys, [*words, "--report", str(tmp_path / "no" / "where")])
    assert "is a file; give a folder" in refusal(capsys, [*words, "--report", __file__])
    said = refusal(capsys, [*words, "--report", "true", "--against", "resnet8"])
    assert "--against: resnet8 is a network without weights" in said
    assert not (run / "evaluation").exists()
