from math import exp, factorial, sqrt

import pytest
import torch
from torch import Tensor

from stillhouse.method import Spot
from stillhouse.methods import CC
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_vector, teacher_vector
from tests.helpers.batches import DATA, assert_mask_works, empty_batch, outputs
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


def _kernel(embeddings: Tensor, gamma: float, order: int) -> list[list[float]]:
    samples = [[x / sqrt(sum(y**2 for y in sample)) for x in sample] for sample in embeddings.tolist()]
    products = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in samples] for one in samples]
    return [
        [exp(-2 * gamma) * sum((2 * gamma * c) ** p / factorial(p) for p in range(order + 1)) for c in row]
        for row in products
    ]


@pytest.mark.parametrize(("gamma", "order"), [(0.4, 2), (0.9, 4)])
def test_the_papers_correlation(gamma: float, order: int) -> None:
    student, teacher = u((5, 6), 1), u((5, 6), 2)
    s, t = _kernel(student, gamma, order), _kernel(teacher, gamma, order)
    expected = sum((s[i][j] - t[i][j]) ** 2 for i in range(5) for j in range(5)) / 25
    assert CC(gamma=gamma, order=order).loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)


def test_the_series_ends_in_a_gaussian() -> None:
    x, y = (vector / vector.norm() for vector in (u((3,), 1), u((3,), 2)))
    kernel = CC(gamma=0.4, order=12).kernel(torch.stack([5 * x, y]))
    assert kernel[0, 1].item() == pytest.approx(exp(-0.4 * (x - y).square().sum().item()), rel=1e-10)


def test_the_codes_correlation() -> None:
    student, teacher = u((5, 6), 1), u((5, 6), 2)
    d = (student - teacher).abs().tolist()
    expected = sum(a * b for i in range(4) for a, b in zip(d[i], d[i + 1], strict=True)) / 4
    assert CC(correlation="consecutive").loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradients() -> None:
    student = student_vector()
    s, t = outputs(embedding=student), outputs(embedding=teacher_vector())
    method = CC(dim=16, correlation="consecutive")
    method.spots = [Spot("embedding", "embedding")]
    method.build(s, t, DATA)
    method.double()
    fill_auxiliary(method.connectors, method.teacher_connectors)
    loss = method(s, t, empty_batch())
    assert loss.item() == pytest.approx(2.775385013127, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.8518148152715646, rel=1e-8)
    assert gradient_norm(loss, method.parameters()) == pytest.approx(4.525008780838383, rel=1e-8)


def test_both_linear_layers_are_trained_and_take_any_shape() -> None:
    s, t = outputs(map=u((4, 3, 2, 2), 1).float()), outputs(map=u((4, 5, 7), 2).float())
    method = CC(dim=6, at="map")
    method.spots = [Spot("map", "map")]
    method.build(s, t, DATA)
    assert [tuple(p.shape) for p in method.groups()[0].parameters] == [(6, 12), (6,), (6, 35), (6,)]
    method(s, t, empty_batch(4)).backward()
    assert all(p.grad is not None and p.grad.any() for p in method.parameters())


@pytest.mark.parametrize("correlation", ["gaussian", "consecutive"])
def test_a_batch_of_one_gives_no_nan(correlation: str) -> None:
    method = CC(correlation=correlation)  # type: ignore[arg-type] # one of the literals
    student = u((1, 6), 1).requires_grad_()
    loss = method.loss(student, u((1, 6), 2))
    assert abs(loss.item()) < 1e-20
    assert torch.autograd.grad(loss, student)[0].abs().max() < 1e-12


@pytest.mark.parametrize("correlation", ["gaussian", "consecutive"])
def test_samples_that_are_off_do_not_count(correlation: str) -> None:
    method = CC(correlation=correlation)  # type: ignore[arg-type] # one of the literals
    assert_mask_works(method.loss, u((6, 8), 1), u((6, 8), 2))
