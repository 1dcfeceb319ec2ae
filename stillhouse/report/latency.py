"""The time that each network takes for one image, measured on this machine."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ..models.create import is_ours
from ..models.spec import NetworkSource
from ..plan.speed import speeds
from .records import RunRecord

_SECONDS = 0.5  # of measuring, for each network


def with_latency(records: Sequence[RunRecord]) -> tuple[list[RunRecord], list[str]]:
    """Return runs whose results hold the latency of their network, and the names of networks left out.

    A network of the user's own is left out, because building it would run code that a run names. The time does not
    depend on the weights, so every network is measured once for each size of image and number of classes.
    """
    known: dict[tuple[str, int, int], float] = {}
    left_out: list[str] = []
    measured = []
    for record in records:
        size, classes = record.number("image_size"), len(record.classes)
        if not is_ours(record.network) or size is None or not classes:
            left_out.append(record.student)
            measured.append(record)
            continue
        key = (record.network, classes, int(size))
        if key not in known:
            known[key] = milliseconds(*key)
        found = {"latency_ms": known[key], "latency_on": machine()}
        measured.append(replace(record, result={**record.result, **found}))
    return measured, list(dict.fromkeys(left_out))


def milliseconds(name: str, classes: int, size: int) -> float:
    """Return the median time of a forward pass of one image, on a GPU if there is one.

    Raises:
        ValueError: If the network cannot be built.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    threads = [torch.get_num_threads()]
    (speed,) = speeds(NetworkSource(name), classes, size, [1], threads, device, _SECONDS)
    return speed.latency.p50


def machine() -> str:
    """Name the device, and for a CPU its threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' * (threads > 1)}"


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named and named[0] else platform.processor() or platform.machine()
