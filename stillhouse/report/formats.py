"""Comparisons as data for programs: CSV and Parquet with one row per run, and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import pyarrow
import pyarrow.parquet

from .groups import Entry, Group
from .records import RunRecord
from .settings import shown

_NUMBERS = (
    *("top1", "top5", "test_loss", "best_top1", "best_epoch", "epochs", "seconds", "parameters", "macs"),
    *("latency_ms", "teacher_top1", "image_size", "processes"),
)
_WORDS = (
    "best_measured_on",
    "device",
    "stillhouse",
    "commit",
    "torch",
    "cuda",
    "data_hash",
    "weights_hash",
    "latency_on",
)

Value = str | float | int | None


def lines(groups: Sequence[Group]) -> list[dict[str, Value]]:
    """Return one row per run: its description, its numbers, and those of its method, repeated in each row."""
    return [
        {**_group(group), **_run(run), **_method(entry, group)}
        for group in groups
        for entry in group.entries
        for run in entry.runs
    ]


def as_csv(groups: Sequence[Group]) -> str:
    """Return the rows with a header; unknown values are empty."""
    found, text = lines(groups), io.StringIO()
    writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def as_parquet(groups: Sequence[Group]) -> bytes:
    """Return the rows as a typed table; unknown values are null."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines(groups)), buffer)
    return buffer.getvalue()


def as_json(groups: Sequence[Group]) -> str:
    """Return groups with their methods and runs, and the epochs of each run."""
    content = [
        {
            **_group(group),
            "settings": {name: shown(value) for name, value in group.settings.items()},
            "differs_in": list(group.differs),
            "notes": list(group.notes),
            "teachers": [_whole(run) for run in group.teachers],
            "methods": [_entry(entry, group) for entry in group.entries],
        }
        for group in groups
    ]
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _entry(entry: Entry, group: Group) -> dict[str, object]:
    by_seed = entry.to_baseline.values if entry.to_baseline else {}
    return {
        "method": entry.name,
        **_method(entry, group),
        "difference_by_seed": {str(seed): value for seed, value in by_seed.items()},
        "runs": [_whole(run) for run in entry.runs],
    }


def _whole(run: RunRecord) -> dict[str, object]:
    return {**_run(run), "config": dict(run.config), "epochs_measured": list(run.rows)}


def _group(group: Group) -> dict[str, Value]:
    return {"comparison": group.title, "data": group.data, "teacher": group.teacher, "student": group.student}


def _run(run: RunRecord) -> dict[str, Value]:
    return {
        "methods": ", ".join(run.methods),
        "recipe": run.recipe,
        "network": run.student,
        "seed": run.seed,
        **{name: run.number(name) for name in _NUMBERS},
        **{name: None if run.result.get(name) is None else str(run.result[name]) for name in _WORDS},
        "teacher_hash": run.teacher_hash,
        "folder": str(run.folder),
    }


def _method(entry: Entry, group: Group) -> dict[str, Value]:
    gained, published = entry.to_baseline, entry.published
    return {
        "label": entry.name,
        "n": len(entry.runs),
        "mean_top1": entry.top1,
        "std_top1": entry.std,
        "mean_best_top1": entry.best,
        "baseline": group.baseline,
        "difference": gained.mean if gained else None,
        "difference_n": len(gained.values) if gained else None,
        "interval_low": gained.low if gained else None,
        "interval_high": gained.high if gained else None,
        "published_top1": published.top1 if published else None,
        "published_measured": published.measured if published else None,
        "published_recipe": published.recipe if published else None,
        "published_source": published.source if published else None,
        "published_differs_in": ", ".join(published.differing) if published else None,
        "gap": entry.gap,
    }
