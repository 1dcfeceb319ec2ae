"""Groups of options: their values, and what they say about those that cannot be."""

import math
from pathlib import Path

import pytest
import torch

from stillhouse.cli.groups.run import CacheOptions, DeviceOptions, MemoryOptions


def test_a_gpu_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert DeviceOptions().torch_device() == DeviceOptions("cpu").torch_device() == torch.device("cpu")
    with pytest.raises(ValueError, match="--device cuda: PyTorch finds no GPU here; use --device cpu or auto"):
        DeviceOptions("cuda").torch_device()


@pytest.mark.parametrize("budget", [0.0, -1.0, math.inf, math.nan])
def test_a_memory_budget_is_a_number_of_gigabytes(budget: float) -> None:
    with pytest.raises(ValueError, match=r"--memory_budget must be (positive|a finite number), not"):
        MemoryOptions(budget)


def test_a_store_of_caches_lies_below_the_runs_unless_it_is_off(tmp_path: Path) -> None:
    store = CacheOptions("on", 2.5).store(tmp_path)
    assert store is not None
    assert (store.folder, store.use, store.budget) == (tmp_path / "teacher_cache", "on", 2.5)
    assert CacheOptions("off").store(tmp_path) is None
