import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from stillhouse.methods.layers.channel_products import channel_products


def maps(layout: torch.memory_format) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(2, c, 4, 5, generator=draw, dtype=torch.float64) for c in (3, 6))
    return one.contiguous(memory_format=layout).requires_grad_(), other.contiguous(
        memory_format=layout
    ).requires_grad_()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_products_of_all_pairs_of_channels(layout: torch.memory_format) -> None:
    one, other = maps(layout)
    products = channel_products(one, other)
    assert products.shape == (2, 3, 6)
    for n, i, j in ((0, 0, 0), (0, 2, 5), (1, 1, 3)):
        assert products[n, i, j].item() == pytest.approx((one[n, i] * other[n, j]).sum().item(), rel=1e-12)
    assert torch.autograd.gradcheck(channel_products, (one, other))
    assert torch.autograd.gradcheck(lambda x: channel_products(x, x), (one,))
    assert torch.autograd.gradgradcheck(lambda x: channel_products(x, x), (one,))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_are_laid_out_as_the_maps_are(layout: torch.memory_format) -> None:
    one, other = maps(layout)
    gradients = torch.autograd.grad(channel_products(one, other).square().sum(), (one, other))
    gradients += torch.autograd.grad(channel_products(one, one).square().sum(), (one,))
    assert all(gradient.is_contiguous(memory_format=layout) for gradient in gradients)


def cost(one: Tensor, other: Tensor) -> int:
    """Count the operations of the gradient."""
    products = channel_products(one, other).sum()
    with FlopCounterMode(display=False) as counter:
        products.backward()  # type: ignore[no-untyped-call] # PyTorch's
    return int(counter.get_total_flops())


def test_the_gradient_of_a_map_with_itself_costs_half_as_much() -> None:
    one, _ = maps(torch.contiguous_format)
    assert 0 < 2 * cost(one, one) == cost(one, one.detach().clone().requires_grad_())


def test_a_map_that_is_not_trained_costs_nothing() -> None:
    one, other = maps(torch.contiguous_format)
    assert 0 < 2 * cost(one, other.detach()) == 2 * cost(one.detach(), other) == cost(one, other)


def test_a_map_that_is_not_trained_changes_nothing() -> None:
    one, other = maps(torch.contiguous_format)
    products = channel_products(one, other.detach())
    assert torch.equal(products, channel_products(one, other))
    (gradient,) = torch.autograd.grad(products.sum(), (one,))
    torch.testing.assert_close(gradient, other.sum(1, keepdim=True).expand(-1, 3, -1, -1))
