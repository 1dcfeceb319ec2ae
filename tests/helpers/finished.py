"""Folders of finished runs with made-up numbers, as `stillhouse train` and `distill` leave them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from stillhouse.checkpoints import write_atomically
from stillhouse.cli.arguments import named_values
from stillhouse.cli.groups.run import RunOptions
from stillhouse.report.records import RunRecord, read_record
from stillhouse.training.predictions import Predictions
from stillhouse.training.run_files import dump_rows
from stillhouse.training.run_folder import Run
from tests.helpers.networks import QuickNet

CE, KD = "CE(weight=1.0)", "KD(weight=0.9, temperature=4.0, cross_entropy=False)"
CLASSES = ("cat", "dog", "<b>owl</b>")


def write_run(
    root: Path,
    methods: Sequence[str] = (),
    seed: int = 0,
    top1: Sequence[float] = (50.0, 60.0),
    *,
    student: str = "resnet20",
    teacher: str = "resnet56",
    weights_hash: str | None = None,
    teacher_hash: str = "7ea0",
    data: str = "pets",
    result: dict[str, Any] | None = None,
    guesses: Sequence[int] | None = (0, 1, 2, 0),
    **options: object,
) -> Path:
    """Write a run and return its folder.

    Args:
        methods: Completely spelt; none for a network by itself.
        top1: Percent after each epoch.
        result: Further values of its result.
        guesses: For images of the classes 0, 1, 2 and 2; None to keep none.
        options: Further values of its configuration.
    """
    config = {name: _plain(value) for name, value in named_values(RunOptions()).items() if name != "workers"}
    config |= {"data": data, "seed": seed, "epochs": len(top1), "folder": str(root), **options}
    names = "+".join(method.partition("(")[0] for method in methods)
    slug, about = f"{data}-{student}-seed{seed}", {"model": student, "weights": None}
    origin: dict[str, object] = {}
    if methods:
        slug = f"{data}-{student}-from-{teacher}-{names}-seed{seed}"
        about = {"teacher": teacher, "student": student, "student_weights": None, "methods": list(methods)}  # type: ignore[dict-item] # of several types
        origin = {"teacher": {"network": teacher, "weights_hash": teacher_hash}}
    run = Run(root, slug, {"config": config, **about, **origin}, {**about, **config}, origin)
    outcome: dict[str, object] = {
        **{"top1": top1[-1], "top5": 90.0, "test_loss": 1.0, "best_top1": max(top1)},
        **{"best_epoch": 1 + list(top1).index(max(top1)), "epochs": len(top1), "seconds": 75.0, "device": "cpu x 1"},
        **{"processes": 1, "torch": "2.14.1", "parameters": 278324, "macs": 41_000_000, "data_hash": "da7a"},
        **{"weights_hash": weights_hash or run.folder.name, "network": student, "data": data, "image_size": 32},
        **{"classes": list(CLASSES), **(result or {})},
    }
    rows = [
        {
            **{"epoch": epoch, "phase": "distillation", "lr": 0.05, "loss": 3.0 / epoch, "CE": 2.0 / epoch},
            **({"KD": 1.0 / epoch, "agreement": 70.0} if methods else {}),
            **{"top1": value, "top5": 90.0, "test_loss": 1.0, "seconds": 37.5},
        }
        for epoch, value in enumerate(top1, 1)
    ]
    with run:
        run.begin()
        write_atomically(run.folder / "metrics.jsonl", dump_rows(rows).encode())
        run.finish(QuickNet(), {}, outcome, predictions=None if guesses is None else guessed(guesses))
    return run.folder


def guessed(guesses: Sequence[int], labels: Sequence[int] = (0, 1, 2, 2)) -> Predictions:
    return Predictions(torch.tensor(guesses).int(), torch.full((len(guesses),), 0.75), torch.tensor(labels).int())


def record(root: Path, *arguments: Any, **more: Any) -> RunRecord:
    """Write a run and read it."""
    found = read_record(write_run(root, *arguments, **more))
    assert found is not None
    return found


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
