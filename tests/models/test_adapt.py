"""A network takes images of any normalisation and answers in the data's classes, whoever calls it."""

import copy

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.models import zoo
from stillhouse.models.adapt import adapted, renormalise, reorder_classes
from stillhouse.models.input_spec import IMAGENET, Channels
from stillhouse.models.pieces import cut
from stillhouse.taps import Tapped
from tests.helpers.networks import QuickNet

PIXELS = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
GIVEN: tuple[Channels, Channels] = ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))


def normalised(how: tuple[Channels, Channels]) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in how)
    return (PIXELS - mean) / std


def test_images_are_brought_to_the_networks_normalisation() -> None:
    net = QuickNet().eval()
    expected = net(normalised(IMAGENET))
    plain = {name: value.clone() for name, value in net.state_dict().items()}
    renormalise(net, GIVEN, IMAGENET)
    torch.testing.assert_close(net(normalised(GIVEN)), expected, rtol=0, atol=1e-6)
    assert net.state_dict().keys() == plain.keys()


def test_the_images_differ_by_rounding_only() -> None:
    net = nn.Conv2d(3, 3, 1, groups=3, bias=False)
    nn.init.ones_(net.weight)
    renormalise(net, GIVEN, IMAGENET)
    assert (net(normalised(GIVEN)) - normalised(IMAGENET)).abs().max() < 1e-6


def test_equal_normalisations_change_nothing_at_all() -> None:
    net = QuickNet().eval()
    renormalise(net, GIVEN, IMAGENET)
    renormalise(net, GIVEN, GIVEN)
    assert adapted(net) == {}
    assert torch.equal(net(PIXELS), QuickNet.forward(net, PIXELS))


def test_doing_it_twice_replaces_what_was_done() -> None:
    net = QuickNet().eval()
    expected = net(normalised(IMAGENET))
    renormalise(net, IMAGENET, GIVEN)
    renormalise(net, GIVEN, IMAGENET)
    assert len(net._forward_pre_hooks) == 1
    torch.testing.assert_close(net(normalised(GIVEN)), expected, rtol=0, atol=1e-6)


def test_copies_and_number_formats_are_adapted_too() -> None:
    net = QuickNet().eval()
    expected = net(normalised(IMAGENET))
    renormalise(net, GIVEN, IMAGENET)
    torch.testing.assert_close(copy.deepcopy(net)(normalised(GIVEN)), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(net.double()(normalised(GIVEN).double()), expected.double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("has_head", [True, False])
def test_classes_are_put_into_the_order_of_the_data(has_head: bool) -> None:
    net = QuickNet().eval()
    before = net(PIXELS)
    reorder_classes(net, [2, 0, 1, 3], net.head if has_head else None)
    assert torch.equal(net(PIXELS), before[:, [2, 0, 1, 3]])
    assert (adapted(net) == {}) is has_head


def test_some_of_many_classes_may_be_chosen() -> None:
    net = QuickNet(num_classes=7).eval()
    before = net(PIXELS)
    reorder_classes(net, [6, 1], net.head)
    torch.testing.assert_close(net(PIXELS), before[:, [6, 1]])
    assert net.head.out_features == 2


@pytest.mark.parametrize("chain", [True, False])
def test_pieces_of_an_adapted_network_are_adapted_too(chain: bool) -> None:
    net = zoo("resnet8", 4).eval()
    landmarks = Anatomy.of(net)
    expected = net(normalised(IMAGENET))
    renormalise(net, GIVEN, IMAGENET)
    reorder_classes(net, [3, 2, 1, 0], None)
    tapped = Tapped(net, landmarks if chain else Anatomy(landmarks.stages, landmarks.head, landmarks.map))
    value = normalised(GIVEN)
    for piece in cut(tapped, ["stage1", "stage2"], 16):
        value = piece(value)
    torch.testing.assert_close(value, expected[:, [3, 2, 1, 0]], rtol=1e-4, atol=1e-5)
    assert set(adapted(net)) == {"renormalise_scale", "renormalise_shift", "class_order"}
