import torch

from stillhouse.layers.maps import as_map


def test_a_vector_is_a_map_of_one_position() -> None:
    vectors, maps = torch.randn(2, 3), torch.randn(2, 3, 4, 4)
    assert as_map(vectors).shape == (2, 3, 1, 1)
    assert as_map(vectors).mean((2, 3)).equal(vectors)
    assert as_map(maps) is maps
