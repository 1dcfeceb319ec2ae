import pytest
import torch
from torch import nn

from stillhouse.batch import DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import FitNet
from stillhouse.models import zoo
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_maps, teacher_maps
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}


def test_each_sample_is_charged_its_mean_squared_error() -> None:
    student, teacher = u((3, 2, 4, 5), 1), u((3, 2, 4, 5), 2)
    losses = FitNet().loss(student, teacher)
    for n in range(3):
        errors = [
            (s - t) ** 2 for s, t in zip(student[n].flatten().tolist(), teacher[n].flatten().tolist(), strict=True)
        ]
        assert losses[n].item() == pytest.approx(sum(errors) / 40, rel=1e-12)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("stage", "loss", "student_gradient", "regressor_gradient"),
    [
        (1, 0.15894310657415653, 0.005062563866764634, 0.06300306619317528),
        (2, 0.1455235094012318, 0.008348392395877998, 0.050883615365247895),
        (3, 0.14298192511060856, 0.005240284544694117, 0.051094065284654044),
    ],
    ids=["same size", "other widths", "student half as large"],
)
def test_recorded_values_and_gradients(
    stage: int, loss: float, student_gradient: float, regressor_gradient: float
) -> None:
    student, teacher = student_maps(), teacher_maps()
    regressor = FitNet().connector(student[stage], teacher[stage]).double()
    fill_auxiliary(regressor)
    ours = FitNet().loss(regressor(student[stage]), teacher[stage]).mean()
    assert ours.item() == pytest.approx(loss, rel=1e-8)
    assert gradient_norm(ours, student) == pytest.approx(student_gradient, rel=1e-8)
    assert gradient_norm(ours, regressor.parameters()) == pytest.approx(regressor_gradient, rel=1e-8)


@pytest.mark.recorded
def test_recorded_value_where_the_teacher_is_pooled() -> None:
    student, teacher = u((8, 4, 4, 4), 71).clamp(min=0).requires_grad_(), u((8, 6, 7, 7), 72).clamp(min=0)
    regressor = FitNet().connector(student, teacher).double()
    fill_auxiliary(regressor)
    loss = FitNet().loss(regressor(student), teacher).mean()
    assert loss.item() == pytest.approx(0.06661584059100667, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.004597858010260276, rel=1e-8)
    assert gradient_norm(loss, regressor.parameters()) == pytest.approx(0.04513006269646246, rel=1e-8)


@pytest.mark.parametrize("size", [(4, 8), (8, 4), (3, 3), (6, 2), (12, 8)])
def test_maps_need_not_be_square(size: tuple[int, int]) -> None:
    student, teacher = u((2, 3, 6, 4), 1).float(), u((2, 5, *size), 2).float()
    regressed = FitNet().connector(student, teacher)(student)
    losses = FitNet().loss(regressed, teacher)
    pooled = torch.nn.functional.adaptive_avg_pool2d(teacher, (regressed.shape[2], regressed.shape[3]))
    torch.testing.assert_close(losses, (regressed - pooled).square().mean((1, 2, 3)))


def test_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"FitNet compares maps .* the teacher's features are \(2, 16, 8\)"):
        FitNet().connector(torch.zeros(2, 5, 4, 4), torch.zeros(2, 16, 8))


def test_the_hint_is_the_second_stage_of_both() -> None:
    student, teacher = zoo("resnet8", 10), zoo("vgg8", 10)
    method = FitNet()
    Distillation(student, teacher, [method], DataInfo(10, 32, torch.arange(10)))
    assert method.spots == [Spot("stage2", "stage2")]
    (regressor,) = method.connectors
    assert isinstance(regressor.conv, nn.Conv2d)
    assert (regressor.conv.in_channels, regressor.conv.out_channels) == (32, 256)  # 16 x 16 against 8 x 8
    assert regressor.conv.kernel_size == (3, 3)


def test_a_hint_that_a_network_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"FitNet: the network has no 'stage4'; it has stage1, stage2, stage3"):
        Distillation(zoo("resnet8", 10), zoo("vgg8", 10), [FitNet(at="stage4")], DataInfo(10, 32, torch.arange(10)))
