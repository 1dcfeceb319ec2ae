from math import sqrt

import pytest
import torch

from stillhouse.methods.layers.affinity import cosines, gram, mean_over, probabilities, squared_distances
from tests.golden.closed_form import u


@pytest.mark.parametrize("shape", [(3, 2, 4, 5), (3, 6, 2), (3, 7)], ids=["maps", "tokens", "vectors"])
def test_gram_holds_inner_products_of_samples(shape: tuple[int, ...]) -> None:
    features = u(shape, 1)
    for i, row in enumerate(gram(features).tolist()):
        for j, product in enumerate(row):
            numbers = zip(features[i].flatten().tolist(), features[j].flatten().tolist(), strict=True)
            assert product == pytest.approx(sum(a * b for a, b in numbers), rel=1e-12)


def test_gram_does_not_depend_on_the_memory_layout() -> None:
    features = u((3, 4, 5, 5), 1)
    torch.testing.assert_close(gram(features.contiguous(memory_format=torch.channels_last)), gram(features))


ON = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)


def test_squared_distances() -> None:
    vectors = u((5, 3), 1)
    distances = squared_distances(gram(vectors))
    for i in range(5):
        for j in range(5):
            expected = sum((a - b) ** 2 for a, b in zip(vectors[i].tolist(), vectors[j].tolist(), strict=True))
            assert distances[i, j].item() == pytest.approx(expected, rel=1e-10, abs=1e-14)
    assert distances.diagonal().eq(0).all()
    assert distances.ge(0).all()


def test_squared_distances_of_near_samples_are_not_below_zero() -> None:
    """They are small differences of large numbers, and roots are taken of them."""
    near = (100 * u((1, 50), 1) + 1e-5 * u((8, 50), 2)).float()
    products = gram(near)
    lengths = products.diagonal()
    assert (lengths[:, None] + lengths - 2 * products).min() < 0
    assert squared_distances(products).min() == 0
    assert squared_distances(products).sqrt().isfinite().all()


def test_cosines() -> None:
    vectors = u((5, 3), 1).tolist()
    angles = cosines(torch.tensor(vectors, dtype=torch.float64), 0.01)
    for i, one in enumerate(vectors):
        for j, other in enumerate(vectors):
            product = sum(a * b for a, b in zip(one, other, strict=True))
            lengths = [sqrt(sum(a**2 for a in vector)) + 0.01 for vector in (one, other)]
            assert angles[i, j].item() == pytest.approx(product / lengths[0] / lengths[1], rel=1e-12)


def test_the_gradient_of_cosines() -> None:
    assert torch.autograd.gradcheck(lambda vectors: cosines(vectors, 0.01), u((5, 3), 1).requires_grad_())


def test_cosines_of_nothing_are_zero_and_have_a_gradient() -> None:
    vectors = torch.zeros(2, 3, requires_grad=True)
    angles = cosines(vectors, 1e-7)
    assert angles.eq(0).all()
    (gradient,) = torch.autograd.grad(angles.sum(), vectors)
    assert gradient.isfinite().all()


def test_probabilities_are_shares_of_a_row() -> None:
    similarities = (u((5, 5), 1) + 1) / 2
    for i, row in enumerate(probabilities(similarities)):
        for j in range(5):
            assert row[j].item() == pytest.approx((similarities[i, j] / sum(similarities[i])).item())
    kept = similarities[ON > 0][:, ON > 0]
    torch.testing.assert_close(probabilities(similarities, ON)[ON > 0][:, ON > 0], probabilities(kept))


def test_mean_over_leaves_out_what_is_off() -> None:
    pairs, triplets = u((5, 5), 1), u((5, 5, 5), 2)
    assert mean_over(pairs).item() == pytest.approx(sum(pairs.flatten().tolist()) / 25)
    torch.testing.assert_close(mean_over(pairs, ON), pairs[ON > 0][:, ON > 0].mean())
    torch.testing.assert_close(mean_over(triplets, ON), triplets[ON > 0][:, ON > 0][:, :, ON > 0].mean())
    assert mean_over(pairs, torch.eye(5, dtype=torch.float64)[3]) == pairs[3, 3]
    assert mean_over(pairs, torch.zeros(5)) == 0
