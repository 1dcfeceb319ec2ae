"""Latencies by the number of images and of threads."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse.models.spec import NetworkSource
from stillhouse.plan.speed import cpu_threads, speeds, speeds_of


def test_each_number_of_images_is_measured_with_each_number_of_threads_which_are_restored() -> None:
    before = torch.get_num_threads()
    seen = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, images: Tensor) -> Tensor:
            seen.append((len(images), torch.get_num_threads(), self.training, torch.is_inference_mode_enabled()))
            logits: Tensor = self.layer(images.mean((2, 3)))
            return logits

    model = Watched().train()
    found = speeds_of(model, 8, [1, 4], [1, 2], seconds=0.0, least=2)
    assert [(one.images, one.threads) for one in found] == [(1, 1), (4, 1), (1, 2), (4, 2)]
    assert list(dict.fromkeys(seen)) == [(images, threads, False, True) for threads in (1, 2) for images in (1, 4)]
    assert len(seen) == 4 * (3 + 2)  # three to warm up, two that are timed
    assert all(0 < one.latency.p50 <= one.latency.p95 and one.latency.calls == 2 for one in found)
    assert torch.get_num_threads() == before
    assert model.training


def test_threads_are_restored_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="no"), cpu_threads(before + 1):
        raise RuntimeError("no")
    assert torch.get_num_threads() == before


def test_a_file_of_weights_is_not_read(tmp_path: Path) -> None:
    source = NetworkSource("resnet8", str(tmp_path / "none.safetensors"), key="ema", skip_head=True)
    (found,) = speeds(source, 10, 32, [2], [1], seconds=0.0, least=1)
    assert found.images == 2


def test_one_thread_alone_is_measured_once() -> None:
    with cpu_threads(1):
        assert [(one.images, one.threads) for one in speeds(NetworkSource("resnet8"), 10, 32, seconds=0, least=1)] == [
            (1, 1),
            (32, 1),
        ]


def test_a_network_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="resnet21"):
        speeds(NetworkSource("resnet21"), 10, 32)


def test_networks_that_cannot_take_the_images_or_know_other_classes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(
        "from torch.nn import *\n"
        "def fixed(num_classes): return Sequential(Flatten(), Linear(3 * 32 * 32, num_classes))\n"
        "def seven(num_classes): return Sequential(AdaptiveAvgPool2d(1), Flatten(), Linear(3, 7))\n"
    )
    with pytest.raises(ValueError, match=r"Sequential cannot take images of 16 px .* choose another network"):
        speeds(NetworkSource("nets.py:fixed"), 10, 16)
    with pytest.raises(ValueError, match="one logit for each of the 10 classes, not 7; build it with num_classes=10"):
        speeds(NetworkSource("nets.py:seven"), 10, 16)
