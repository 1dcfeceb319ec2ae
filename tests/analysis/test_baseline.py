"""The student by itself: read as its run ended, or refused."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from stillhouse.analysis.baseline import read_baseline
from stillhouse.checkpoints import save_weights
from stillhouse.training.predictions import FILE, Predictions

LABELS = torch.tensor([0, 1, 1])


def _run(folder: Path, labels: torch.Tensor | None) -> Path:
    folder.mkdir()
    (folder / "result.json").write_text('{"top1": 70.0, "top5": 90.0, "test_loss": 1.0, "best_top1": 70.0}')
    save_weights(nn.Linear(2, 2), folder / "student.safetensors", {})
    row = {"epoch": 1, "phase": "training", "lr": 0.1, "loss": 1.0, "top1": 70.0, "top5": 90.0, "test_loss": 1.0}
    (folder / "metrics.jsonl").write_text(json.dumps(row | {"seconds": 1.0}) + "\n")
    if labels is not None:
        (folder / FILE).write_bytes(Predictions(labels.int(), torch.ones(len(labels)), labels.int()).to_bytes())
    return folder


def test_its_curve_and_guesses_are_read(tmp_path: Path) -> None:
    found = read_baseline(_run(tmp_path / "alone", LABELS), LABELS)
    assert [row["top1"] for row in found.rows] == [70.0]
    assert found.predictions is not None
    assert found.predictions.correct.all()


def test_older_runs_have_a_curve_only(tmp_path: Path) -> None:
    found = read_baseline(_run(tmp_path / "alone", None), LABELS)
    assert len(found.rows) == 1
    assert found.predictions is None


def test_one_that_was_measured_on_other_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="was measured on other test images than this run; give one of the same"):
        read_baseline(_run(tmp_path / "alone", LABELS.flip(0)), LABELS)
    with pytest.raises(ValueError, match="holds no run"):
        read_baseline(tmp_path, LABELS)
