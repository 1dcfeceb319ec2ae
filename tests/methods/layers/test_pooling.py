import pytest
import torch

from stillhouse.methods.layers.pooling import pool_to_smaller
from tests.golden.closed_form import u


def test_the_larger_map_is_averaged_to_the_size_of_the_smaller() -> None:
    large, small = u((2, 3, 4, 4), 1), u((2, 5, 2, 2), 2)
    pooled, same = pool_to_smaller(large, small)
    assert same is small
    assert pooled[1, 2, 0, 1].item() == pytest.approx(large[1, 2, 0:2, 2:4].mean().item())
    torch.testing.assert_close(pool_to_smaller(small, large)[1], pooled)


def test_height_and_width_are_looked_at_separately() -> None:
    wide, tall = pool_to_smaller(u((1, 2, 3, 6), 1), u((1, 2, 6, 3), 2))
    assert wide.shape == tall.shape == (1, 2, 3, 3)
