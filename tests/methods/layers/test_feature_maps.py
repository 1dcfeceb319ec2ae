import pytest
import torch

from stillhouse.method import Spot
from stillhouse.methods.layers.feature_maps import as_map, channel_mean, mean_square, needs_equal_channels


def test_a_vector_is_a_map_of_one_position() -> None:
    vectors, maps = torch.randn(2, 3), torch.randn(2, 3, 4, 4)
    assert as_map(vectors).shape == (2, 3, 1, 1)
    assert as_map(vectors).mean((2, 3)).equal(vectors)
    assert as_map(maps) is maps


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_means_of_channels_in_either_layout(layout: torch.memory_format) -> None:
    values, weights = torch.randn(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    features = values.clone(memory_format=layout).requires_grad_()
    means = channel_mean(features)
    torch.testing.assert_close(means, values.mean(1))
    (gradient,) = torch.autograd.grad((means * weights[:, 0]).sum(), features)
    torch.testing.assert_close(gradient, (weights[:, :1] / 3).expand(-1, 3, -1, -1))
    assert gradient.is_contiguous(memory_format=torch.channels_last) == (layout == torch.channels_last)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_means_of_squares_in_either_layout(layout: torch.memory_format) -> None:
    values, weights = torch.randn(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values[0, :, 0, 0] = 0  # where a length has no gradient
    features = values.clone(memory_format=layout).requires_grad_()
    torch.testing.assert_close(mean_square(features), (values * values).mean(1))
    (gradient,) = torch.autograd.grad((mean_square(features) * weights[:, 0]).sum(), features)
    torch.testing.assert_close(gradient, 2 * values * weights[:, :1] / 3)
    assert gradient.is_contiguous(memory_format=torch.channels_last) == (layout == torch.channels_last)


def test_unequal_widths_are_refused_by_place_and_number() -> None:
    spot = Spot("stage1", "layer1")
    needs_equal_channels("FSP", spot, torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8))
    with pytest.raises(
        ValueError, match="FSP must read maps of equal channels, but the student's 'stage1' has 3 and the teacher's"
    ):
        needs_equal_channels("FSP", spot, torch.zeros(2, 3, 4, 4), torch.zeros(2, 5, 4, 4))
