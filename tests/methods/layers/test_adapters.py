import pytest
import torch
from torch import nn

from stillhouse.methods.layers.adapters import adapter

MAP, HALF, DOUBLE, ODD = (2, 6, 8, 8), (2, 10, 4, 4), (2, 5, 16, 16), (2, 4, 7, 7)
TOKENS, FEWER_TOKENS, VECTOR, LONGER = (2, 17, 12), (2, 5, 8), (2, 9), (2, 11)
WIDE, TALL = (2, 3, 4, 8), (2, 5, 8, 4)  # each as large as others in one dimension only
SHAPES = [MAP, HALF, DOUBLE, ODD, WIDE, TALL, TOKENS, FEWER_TOKENS, VECTOR, LONGER]


@pytest.mark.parametrize("source", SHAPES)
@pytest.mark.parametrize("target", SHAPES)
def test_leads_from_any_shape_to_any_other(source: tuple[int, ...], target: tuple[int, ...]) -> None:
    features = torch.randn(source, requires_grad=True)
    adapted = adapter(source, target)(features)
    assert adapted.shape == target
    (gradient,) = torch.autograd.grad(adapted.square().sum(), features)
    assert (gradient != 0).double().mean() > 0.5  # nothing is thrown away


@pytest.mark.parametrize(
    ("target", "kernel", "stride"), [((2, 7, 8, 8), (1, 1), (1, 1)), (HALF, (3, 3), (2, 2)), (DOUBLE, (4, 4), (2, 2))]
)
def test_convolution_follows_from_the_sizes(
    target: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    layers = adapter(MAP, target)
    convolution, norm = layers.children()
    assert isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d)
    assert isinstance(convolution, nn.ConvTranspose2d) == (target == DOUBLE)
    assert (convolution.kernel_size, convolution.stride) == (kernel, stride)
    features = torch.randn(MAP)
    assert torch.equal(layers(features), norm(convolution(features)).relu())


def test_refuses_what_has_no_known_layout() -> None:
    with pytest.raises(ValueError, match=r"must be maps, tokens or vectors, not of shape \(2, 3, 4, 5, 6\)"):
        adapter((2, 3, 4, 5, 6), VECTOR)
