import pytest
import torch
from torch import Tensor, nn

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import AB, CE
from stillhouse.methods.layers.connectors import Regressor
from stillhouse.models import zoo
from stillhouse.taps import Outputs, Tapped
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm
from tests.helpers.batches import DATA, TINY_DATA, empty_batch, outputs, tiny_batch
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}


def _transfer(method: AB, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """The warm-up's loss between features of one level after another."""
    s, t = (_levels(features) for features in (student, teacher))
    method.spots = [Spot(name, name) for name in s.tapped]
    if not method.connectors:
        method.build(s, t, DATA)
        method.double()
    return method.transfer(s, t, empty_batch(len(student[0])))


def _levels(features: list[Tensor]) -> Outputs:
    return outputs(**{f"preact{i + 1}": level for i, level in enumerate(features)})


@pytest.mark.parametrize("margin", [1.0, 0.3])
def test_neurons_on_the_wrong_side_are_charged_their_distance_to_the_margin(margin: float) -> None:
    student, teacher = [2 * u((3, 2, 4, 4), 1), 2 * u((3, 4, 2, 2), 2)], [u((3, 2, 4, 4), 3), u((3, 4, 2, 2), 4)]
    losses = _transfer(AB(weight=0.01, margin=margin), student, teacher)
    for n in range(3):
        levels = []
        for s_level, t_level in zip(student, teacher, strict=True):
            total = 0.0
            for s, t in zip(s_level[n].flatten().tolist(), t_level[n].flatten().tolist(), strict=True):
                if t > 0 and s <= margin:
                    total += (s - margin) ** 2
                elif t <= 0 and s > -margin:
                    total += (s + margin) ** 2
            levels.append(total)
        assert losses[n].item() == pytest.approx(0.01 * (levels[0] / 2 + levels[1]), rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    student = [u((8, 4, 4, 4), 41).requires_grad_(), (2 * u((8, 6, 2, 2), 42)).requires_grad_()]
    loss = _transfer(AB(), student, [u((8, 4, 4, 4), 43), u((8, 6, 2, 2), 44)]).mean()
    assert loss.item() == pytest.approx(0.27451652669701054, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.017784574147642843, rel=1e-8)


@pytest.mark.recorded
def test_recorded_value_and_gradients_behind_connectors() -> None:
    student = [
        u(shape, seed).requires_grad_() for seed, shape in ((2, (8, 4, 8, 8)), (3, (8, 6, 4, 4)), (4, (8, 8, 2, 2)))
    ]
    teacher = [u(shape, seed) for seed, shape in ((12, (8, 6, 8, 8)), (13, (8, 10, 4, 4)), (14, (8, 12, 4, 4)))]
    method = AB()
    _transfer(method, student, teacher)
    with torch.no_grad():
        for k, parameter in enumerate(method.parameters()):
            parameter.copy_(0.3 * u(parameter.shape, 100 + k))
    loss = _transfer(method, student, teacher).mean()
    assert loss.item() == pytest.approx(1.185071029612128, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.011573154354274522, rel=1e-8)
    assert gradient_norm(loss, method.parameters()) == pytest.approx(0.13379315989447468, rel=1e-8)


def test_a_student_that_is_active_where_the_teacher_is_pays_nothing() -> None:
    teacher = [u((3, 2, 4, 4), 3)]
    assert _transfer(AB(), [5 * teacher[0].sign()], teacher).eq(0).all()


def test_maps_of_any_sizes_meet() -> None:
    for side in (2, 4, 5, 7, 8, 16):
        loss = _transfer(AB(), [u((2, 3, side, side), 1)], [u((2, 4, 7, 7), 2)])
        assert loss.shape == (2,)
    method = AB()
    pooled = nn.functional.adaptive_avg_pool2d(u((2, 3, 7, 7), 2), 5)
    torch.testing.assert_close(
        method.misplaced(u((2, 3, 5, 5), 1), u((2, 3, 7, 7), 2)), method.misplaced(u((2, 3, 5, 5), 1), pooled)
    )


def test_connectors_only_where_shapes_differ() -> None:
    method = AB()
    Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [method], DATA)
    assert [type(connector) for connector in method.connectors] == [nn.Identity] * 3
    method = AB()
    Distillation(zoo("resnet8", 10), zoo("vgg8", 10), [method], DATA)
    assert method.spots == [Spot("preact1", "preact2"), Spot("preact2", "preact3"), Spot("preact3", "preact4")]
    assert all(isinstance(connector, Regressor) and not connector.active for connector in method.connectors)


def test_the_student_is_trained_up_to_its_last_stage_and_then_without_this_method() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    method = AB(at="last_stage", warmup_epochs=2)
    distillation = Distillation(student, teacher, [CE(), method], TINY_DATA)
    warmup, after = distillation.phases(5)
    assert (warmup.name, warmup.epochs, warmup.lr) == ("AB warm-up", 2, None)
    trained = {id(parameter) for group in warmup.groups for parameter in group.parameters}
    assert {id(p) for p in [*method.connectors.parameters(), *student.conv2.parameters()]} <= trained
    assert not trained & {id(p) for p in student.fc.parameters()}
    batch = tiny_batch()
    torch.autograd.backward(warmup.terms(batch, teacher(batch.images))["AB"])
    assert student.conv1.weight.grad is not None
    assert student.fc.weight.grad is None

    trained = {id(parameter) for group in after.groups for parameter in group.parameters}
    assert trained == {id(parameter) for parameter in student.parameters()}
    assert distillation(batch, teacher(batch.images))["AB"].item() == 0


def test_networks_without_known_activations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"AB: the student must have preacts, but none were found; name"):
        Distillation(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), zoo("resnet8", 10), [AB()], DATA)


def test_tokens_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"AB compares maps \(N, C, H, W\), but the teacher's features are \(2, 5, 4\)"
    ):
        _transfer(AB(), [torch.zeros(2, 3, 4, 4)], [torch.zeros(2, 5, 4)])
