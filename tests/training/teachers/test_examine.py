"""A teacher is measured before it teaches, and a network of unknown normalisation with the usual ones."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stillhouse import distributed
from stillhouse.data import Data
from stillhouse.models.adapt import adapted, renormalise
from stillhouse.models.input_spec import InputSpec
from stillhouse.taps import Tapped
from stillhouse.training.evaluation import evaluate
from stillhouse.training.progress import Display
from stillhouse.training.teachers.examine import better_normalisation, examine
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.processes import together

CPU = torch.device("cpu")
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Bright(nn.Module):
    """Tells the quarter that is brightest, if black is -1 and white is 1; everything else it takes for class a."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        quarters = nn.functional.adaptive_avg_pool2d(images, 2).mean(1).flatten(1) + 0 * self.fc.weight.sum()
        is_scaled = ((images.amin((1, 2, 3)) + 1).abs() < 0.02).float()[:, None]
        return is_scaled * quarters + (1 - is_scaled) * torch.eye(4)[0]


def data(batch_size: int = 8) -> Data:
    return quick_data(batch_size, images=200)


def teacher(net: nn.Module, spec: InputSpec | None = None) -> Teacher:
    return Teacher(Tapped(net).eval(), "net", {}, spec or InputSpec())


def test_a_usual_normalisation_that_does_better_is_named_with_its_options() -> None:
    found = better_normalisation(teacher(Bright()), data(), data().train, CPU, "teacher_")
    assert found is not None
    assert found.startswith(
        "on images with mean 0.5 and std 0.5 it would be right on 100.00 % instead of 25.00 %: give "
    )
    assert "--teacher_mean 0.5 --teacher_std 0.5, or keep the present ones with --teacher_mean 0.346,0.3462," in found


def _look(folder: Path, batch_size: int) -> None:
    with distributed.joined(CPU):
        found = better_normalisation(teacher(Bright()), data(), data(batch_size).train, CPU, "teacher_")
        (folder / f"rank{distributed.rank()}").write_text(str(found))


@pytest.mark.parametrize("batch_size", [16, 256])  # of 200 images: the second rank has none of the larger ones
def test_ranks_that_share_the_images_come_to_the_same_advice(tmp_path: Path, batch_size: int) -> None:
    assert together(2, _look, tmp_path, batch_size) == [0, 0]
    alone = better_normalisation(teacher(Bright()), data(), data(batch_size).train, CPU, "teacher_")
    assert alone is not None
    assert [(tmp_path / f"rank{rank}").read_text() for rank in range(2)] == [alone, alone]


def test_a_normalisation_with_which_all_images_are_one_class_is_not_named() -> None:
    """Such as where a network with its classes in another order is always wrong."""

    class Moved(Bright):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images)[:, [1, 2, 3, 0]]

    net = Moved()
    renormalise(net, (data().mean, data().std), HALF)
    always_wrong = teacher(net, InputSpec(None, *HALF, "timm", is_certain=False))
    assert evaluate(net, data().train, CPU).top1 == 0
    assert better_normalisation(always_wrong, data(), data().train, CPU, "") is None


def test_what_is_known_for_certain_is_not_doubted_and_nothing_is_left_behind() -> None:
    net = Bright()
    sure = InputSpec(mean=data().mean, std=data().std)
    assert better_normalisation(teacher(net, sure), data(), data().train, CPU, "") is None
    assert adapted(net) == {}
    assumed = InputSpec(None, *HALF, "timm", is_certain=False)
    renormalise(net, (data().mean, data().std), HALF)
    before = adapted(net)
    assert better_normalisation(teacher(net, assumed), data(), data().train, CPU, "") is None
    assert adapted(net) == before
    assert evaluate(net, data().train, CPU).top1 == 100


def test_a_teacher_that_would_do_better_with_another_normalisation_is_refused() -> None:
    wide = replace(data(), test=data().train)
    with pytest.raises(
        ValueError, match=r"the teacher net is right on 25.00 % of the held-out images; on images with me"
    ):
        examine(teacher(Bright()), None, CPU, wide, Display(quiet=True))


def test_a_teacher_whose_accuracy_is_trusted_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    untrained = teacher(QuickNet(), InputSpec(mean=data().mean, std=data().std))
    with pytest.raises(ValueError, match="--trust_teacher true"):
        examine(untrained, None, CPU, data(), Display())
    scores = examine(untrained, None, CPU, data(), Display(), trust=True)
    assert scores is not None
    assert "note: the teacher net is right on " in capsys.readouterr().out


def test_a_teacher_of_other_classes_is_not_measured(capsys: pytest.CaptureFixture[str]) -> None:
    foreign = teacher(QuickNet(num_classes=7))
    foreign.net.foreign_logits = "predicts 7 classes, but the data have 4"
    assert examine(foreign, torch.bfloat16, CPU, data(), Display()) is None
    assert foreign.net.precision == torch.bfloat16
    assert "the teacher net predicts 7 classes, but the data have 4; no method may read" in capsys.readouterr().out
    assert foreign.net(torch.zeros(2, 3, 16, 16)).logits.isnan().all()
