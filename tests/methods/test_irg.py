import pytest
import torch
from torch import Tensor

from stillhouse.anatomy import Anatomy
from stillhouse.method import Spot
from stillhouse.methods import IRG
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm, student_maps, student_vector, teacher_maps, teacher_vector
from tests.helpers.batches import empty_batch, outputs

NET = Anatomy(stages=("a", "b", "c"), stem="s", head="fc")


def _loss(method: IRG, student: dict[str, Tensor], teacher: dict[str, Tensor]) -> Tensor:
    method.spots = method.choose_spots(NET, NET)
    loss: Tensor = method(outputs(**student), outputs(**teacher), empty_batch())
    return loss


def _edges(features: Tensor) -> list[float]:
    samples = [sample.flatten().tolist() for sample in features]
    distances = [sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) for x in samples for y in samples]
    return [distance / max(distances) for distance in distances]


def _mse(one: list[float], other: list[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / len(one)


@pytest.mark.parametrize("size", [6, 5], ids=["one width", "two widths"])
def test_a_batch_is_charged_for_its_graph(size: int) -> None:
    s, t = u((5, size), 1), u((5, 6), 2)
    expected = _mse(_edges(s), _edges(t))
    if size == 6:
        expected += _mse(s.flatten().tolist(), t.flatten().tolist())
    assert _loss(IRG(), {"embedding": s}, {"embedding": t}).item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("transforms_edges", [True, False])
@pytest.mark.parametrize("channels", [2, 3], ids=["one shape", "two shapes"])
def test_a_batch_is_charged_for_how_its_graph_changes(channels: int, transforms_edges: bool) -> None:
    student = {"embedding": u((4, 3), 1), "stage1": u((4, 2, 3, 3), 2), "x": u((4, channels, 3, 3), 3)}
    teacher = {"embedding": u((4, 5), 4), "stage2": u((4, 7), 5), "y": u((4, 7), 6)}
    s_change = _mse(_edges(student["stage1"]), _edges(student["x"]))
    t_change = _mse(_edges(teacher["stage2"]), _edges(teacher["y"]))
    expected = _mse(_edges(student["embedding"]), _edges(teacher["embedding"]))
    expected += (s_change - t_change) ** 2 if transforms_edges else 0
    if channels == 2:
        s_shift = _mse(student["stage1"].flatten().tolist(), student["x"].flatten().tolist())
        t_shift = _mse(teacher["stage2"].flatten().tolist(), teacher["y"].flatten().tolist())
        expected += (s_shift - t_shift) ** 2
    method = IRG(transforms=[(("stage1", "stage2"), ("x", "y"))], transforms_edges=transforms_edges)
    assert _loss(method, student, teacher).item() == pytest.approx(expected, rel=1e-11)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("method", "loss", "gradient"),
    [
        (IRG(), 0.07134830287343491, 0.0973971396510366),
        (IRG(transforms=[("stem", "stage1")]), 0.07138859923288468, 0.09739804213904912),
        (IRG(transforms=[("stage1", "stage3")]), 0.0714273238358877, 0.09745211966870586),
        (IRG(transforms=[("stem", "stage1")], transforms_edges=False), 0.07137070428892825, 0.09739751406305025),
    ],
    ids=["graph", "stem to stage1", "stage1 to stage3", "without edges"],
)
def test_recorded_values_and_gradients(method: IRG, loss: float, gradient: float) -> None:
    names = ("stem", "stage1", "stage2", "stage3", "embedding")
    student, teacher = [*student_maps(), student_vector()], [*teacher_maps(), teacher_vector()]
    actual = _loss(method, dict(zip(names, student, strict=True)), dict(zip(names, teacher, strict=True)))
    assert actual.item() == pytest.approx(loss, rel=1e-8)
    assert gradient_norm(actual, student) == pytest.approx(gradient, rel=1e-8)


@pytest.mark.recorded
def test_recorded_value_and_gradient_of_equal_widths() -> None:
    student = u((8, 12), 6).requires_grad_()
    loss = _loss(IRG(), {"embedding": student}, {"embedding": teacher_vector()})
    assert loss.item() == pytest.approx(0.7569304295154821, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.1773707974382525, rel=1e-8)


def test_coinciding_samples_and_single_ones_give_no_nan() -> None:
    for student in (torch.ones(1, 6), torch.ones(4, 6)):
        leaf = student.requires_grad_()
        loss = _loss(IRG(), {"embedding": leaf}, {"embedding": u((len(leaf), 5), 2).float()})
        assert loss.isfinite()
        assert torch.autograd.grad(loss, leaf)[0].isfinite().all()


def test_reads_the_layers_it_transforms() -> None:
    method = IRG(transforms=[("stem", ("stage1", "stage2"))])
    assert method.choose_spots(NET, NET) == [
        Spot("embedding", "embedding"),
        Spot("stem", "stem"),
        Spot("stage1", "stage2"),
    ]
