"""Which pictures there are: what networks say, and whatever methods observe."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stillhouse.analysis import plots
from stillhouse.analysis.figures import figures, observed, plane, save
from stillhouse.analysis.measure import Aligned, Embedded, Findings, Judged
from stillhouse.methods import CE, KD
from stillhouse.training.evaluation import Scores

GENERATOR = torch.Generator().manual_seed(0)
CLASSES = ["cat", "dog", "emu"]
LABELS = torch.arange(30) % 3
ROWS = [
    {"epoch": 1, "phase": "KD warm-up", "loss": 1.0, "KD": 1.0, "top1": 5.0, "agreement": 6.0},
    {"epoch": 2, "phase": "distillation", "loss": 3.0, "CE": 2.0, "KD": 1.0, "top1": 50.0, "agreement": 60.0}
    | {"KD.on/stage1": 0.5, "KD.on/layer1.2": 0.7, "KD.temperature": 4.0, "KD.Inner.on/stage1": 0.1, "KD2.on/x": 0.0},
]


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=GENERATOR)


def _findings() -> Findings:
    judged = Judged(torch.rand(30, generator=GENERATOR), torch.linspace(0, 1, 4), torch.zeros(4, 8, 8, 3).byte())
    aligned = Aligned(["stage1", "embedding"], ["stage1"], torch.tensor([[0.9], [0.2]]), 60)
    embedded = Embedded(_random(30, 4), _random(30, 6), LABELS, [0, 1, 2])
    scores = Scores(_random(30, 3), LABELS), Scores(_random(30, 3), LABELS)
    return Findings(*scores, {"KD.on/stage1": judged, "KD.on/logits": judged}, aligned, embedded)


def test_columns_are_grouped_by_what_comes_before_the_last_slash() -> None:
    assert observed(ROWS, "KD") == {
        "on": ["KD.on/stage1", "KD.on/layer1.2"],
        "temperature": ["KD.temperature"],
        "Inner.on": ["KD.Inner.on/stage1"],
    }
    assert observed(ROWS, "CE") == {}


def test_there_is_a_picture_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Path] = []
    monkeypatch.setattr(plots, "save", lambda figure, path, formats: saved.append(path))  # drawing takes seconds
    methods = {"CE": CE(), "KD": KD()}
    names = save(figures(_findings(), ROWS, methods, CLASSES, "small from large on animals"), tmp_path)
    assert names == [
        *("training", "KD", "KD_classes", "KD_images", "classes", "confusion", "reliability", "logits", "alignment"),
        "embeddings",
    ]
    assert saved == [tmp_path / name for name in names]


def test_what_was_not_found_is_not_drawn() -> None:
    bare = Findings(_findings().student, _findings().teacher, {}, None, None)
    names = [name for name, _ in figures(bare, ROWS[:1], {"KD": KD()}, CLASSES, "small from large on animals")]
    assert names == ["training", "classes", "confusion", "reliability", "logits"]


def test_neighbours_stay_neighbours_and_always_at_the_same_place() -> None:
    centres = 10 * torch.eye(3)
    vectors = centres[LABELS] + 0.1 * _random(30, 3)
    points = torch.from_numpy(plane(vectors))
    nearest = (torch.cdist(points, points) + 1e9 * torch.eye(30)).argmin(1)
    assert torch.equal(LABELS[nearest], LABELS)
    assert torch.equal(points, torch.from_numpy(plane(vectors)))
