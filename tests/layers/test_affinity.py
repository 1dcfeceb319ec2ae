import pytest
import torch

from stillhouse.layers.affinity import gram
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
