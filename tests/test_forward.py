"""Networks of any kind give logits, or a sentence with the lines of a wrapper that works."""

import re
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse.distillation import Distillation
from stillhouse.forward import are_probabilities, dry_run, logits_of, return_logits
from stillhouse.methods import CE
from stillhouse.taps import Tapped
from stillhouse.user_code import load_object
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet, TinyNet

IMAGES = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LOGITS = torch.randn(3, 4)
Answer = namedtuple("Answer", ["logits", "aux_logits1"])


@dataclass
class ModelOutput:
    """As other libraries have them."""

    loss: Tensor | None
    logits: Tensor


@pytest.mark.parametrize(
    "output",
    [
        LOGITS,
        (LOGITS, {"feats": [torch.zeros(3, 8, 4, 4)]}),
        ([torch.zeros(3, 8, 4, 4), torch.zeros(3)], LOGITS),
        (LOGITS,),
        [LOGITS, LOGITS],
        {"logits": LOGITS, "features": torch.zeros(3, 4)},
        Answer(LOGITS, torch.zeros(3, 4)),
        ModelOutput(None, LOGITS),
    ],
)
def test_logits_are_found_in_what_a_network_returns(output: object) -> None:
    assert logits_of(output) is LOGITS


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            (LOGITS, torch.zeros(3, 4)),
            r"Net returns a tuple of 2, 2 of them \(N, C\) tensors, so it is unclear which are its logits",
        ),
        ((torch.zeros(3), None), r"Net returns a tuple of 2, 0 of them \(N, C\) tensors"),
        ({"out": LOGITS}, "Net returns a dict, so it is unclear which are its logits; wrap it in a file"),
        (None, "Net returns a NoneType"),
    ],
)
def test_what_may_be_anything_is_refused(output: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        logits_of(output, "Net")


def test_a_network_returns_its_logits_alone_wherever_it_is_called_from() -> None:
    class WithFeatures(QuickNet):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images), {"features": images}  # type: ignore[return-value] # as many do

    net = WithFeatures()
    plain = QuickNet()
    plain.load_state_dict(net.state_dict())
    assert torch.equal(return_logits(return_logits(net))(IMAGES), plain(IMAGES))
    assert len(net._forward_hooks) == 1
    assert torch.equal(Tapped(net)(IMAGES).logits, plain(IMAGES))
    distillation = Distillation(WithFeatures(), None, [CE()], quick_data().info)
    batch = next(quick_data().train.epoch(0, "cpu"))
    sum(distillation(batch, None).values()).backward()


def test_auxiliary_logits_of_training_are_refused_when_they_come() -> None:
    class Aux(QuickNet):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return (logits, logits * 2) if self.training else logits  # type: ignore[return-value] # as many do

    net = Tapped(Aux())
    net.eval()(IMAGES)
    with pytest.raises(ValueError, match=r"Aux returns a tuple of 2, 2 of them"):
        net.train()(IMAGES)


class Gray(TinyNet):
    """Takes one channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())


class Soft(QuickNet):
    """Returns probabilities."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).softmax(1)


def wrapped(sentence: str, folder: Path) -> nn.Module:
    """The network that a sentence's lines make."""
    lines = re.search(r"class Wrapped\((\w+)\):\n.*", sentence, re.DOTALL)
    assert lines
    (folder / "wrapped.py").write_text(f"from {__name__} import {lines[1]}\n{lines[0]}")
    build = load_object(str(folder / "wrapped.py"), "Wrapped")
    assert callable(build)
    net: nn.Module = build()
    return net


def test_one_channel_is_a_sentence_with_a_wrapper_that_works(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Gray takes images with 1 channel, but these have 3; wrap it") as caught:
        dry_run(Gray(), 16)
    assert dry_run(wrapped(str(caught.value), tmp_path), 16).logits.shape == (2, 5)


def test_probabilities_are_a_sentence_with_a_wrapper_that_works(tmp_path: Path) -> None:
    info = quick_data().info
    with pytest.raises(ValueError, match=r"Soft returns probabilities \(each row sums to one\), .*; wrap it") as caught:
        Distillation(Soft(), None, [CE()], info)
    Distillation(wrapped(str(caught.value), tmp_path), None, [CE()], info)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (lambda x: x.softmax(1), True),
        (lambda x: x.softmax(1).half(), True),
        (lambda x: x.log_softmax(1), False),
        (lambda x: x, False),
        (lambda x: x.sigmoid(), False),
        (lambda x: torch.ones_like(x[:, :1]), False),
        (lambda x: torch.cat([x[:1], x[1:].softmax(1)]), False),
    ],
)
def test_probabilities_are_told_from_logits(rows: Callable[[Tensor], Tensor], expected: bool) -> None:
    assert are_probabilities(rows(LOGITS)) is expected
