import pytest
import torch
from torch import nn

from stillhouse.methods.layers.connectors import Regressor, three_convolutions
from tests.golden.closed_form import u


@pytest.mark.parametrize(
    ("student", "teacher", "kind", "kernel", "stride", "result"),
    [
        (8, 8, nn.Conv2d, 1, 1, 8),
        (8, 4, nn.Conv2d, 3, 2, 4),
        (7, 4, nn.Conv2d, 4, 1, 4),
        (8, 5, nn.Conv2d, 4, 1, 5),
        (4, 8, nn.ConvTranspose2d, 4, 2, 8),
        (4, 7, nn.Conv2d, 3, 1, 4),  # the one case where the student's size is kept
        (2, 8, nn.Conv2d, 3, 1, 2),
    ],
)
def test_sizes_choose_the_convolution(
    student: int, teacher: int, kind: type[nn.Module], kernel: int, stride: int, result: int
) -> None:
    features = u((2, 3, student, student), 1).float()
    regressor = Regressor(features.shape, (2, 5, teacher, teacher))
    assert type(regressor.conv) is kind
    assert regressor.conv.kernel_size == (kernel, kernel)
    assert regressor.conv.stride == (stride, stride)
    assert regressor(features).shape == (2, 5, result, result)


@pytest.mark.parametrize(
    ("student", "teacher", "result"),
    [
        ((8, 4), (4, 2), (4, 2)),
        ((4, 2), (8, 4), (8, 4)),
        ((8, 4), (4, 4), (4, 4)),  # twice as high, but not twice as wide
        ((8, 5), (4, 3), (4, 3)),
        ((4, 4), (8, 4), (4, 4)),
        ((4, 8), (8, 4), (4, 8)),
        ((6, 4), (5, 6), (6, 4)),
    ],
)
def test_maps_need_not_be_square(student: tuple[int, int], teacher: tuple[int, int], result: tuple[int, int]) -> None:
    regressor = Regressor((2, 3, *student), (2, 5, *teacher))
    assert regressor(u((2, 3, *student), 1).float()).shape == (2, 5, *result)


def test_output_is_normalised_then_rectified() -> None:
    features = u((8, 3, 6, 6), 1).float()
    signed, active = (Regressor((8, 3, 6, 6), (8, 5, 6, 6), active=active) for active in (False, True))
    active.load_state_dict(signed.state_dict())
    before = signed(features)
    torch.testing.assert_close(before.mean((0, 2, 3)), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(before.var((0, 2, 3), unbiased=False), torch.ones(5), atol=1e-3, rtol=0)
    assert torch.equal(active(features), before.relu())


def test_parameters_keep_the_names_of_published_checkpoints() -> None:
    names = [name for name, _ in Regressor((2, 3, 4, 4), (2, 5, 4, 4)).named_parameters()]
    assert names == ["conv.weight", "conv.bias", "bn.weight", "bn.bias"]


def test_three_convolutions_keep_the_size_and_end_without_a_norm() -> None:
    layers = three_convolutions(3, 5, 7)
    kinds = [type(layer) for layer in layers]
    assert kinds == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d]
    assert [tuple(p.shape) for p in nn.Sequential(*layers).parameters() if p.ndim == 4] == [
        (5, 3, 1, 1),
        (5, 5, 3, 3),
        (7, 5, 1, 1),
    ]
    assert nn.Sequential(*layers)(torch.rand(2, 3, 4, 6)).shape == (2, 7, 4, 6)
