import pytest
import torch

from stillhouse.models.vgg import VGG
from tests.golden.closed_form import u
from tests.helpers.landmarks import anatomy_of, places, read


@pytest.mark.parametrize(("image_size", "last"), [(32, 4), (63, 7), (64, 4), (80, 5), (128, 8)])
def test_fourth_pool_is_for_large_images_only(image_size: int, last: int) -> None:
    with torch.device("meta"):
        network = VGG((1, 1, 1, 1, 1), 10)
        _, seen = read(network, torch.empty(2, 3, image_size, image_size), ["relu4"])
    assert seen["relu4"].shape == (2, 512, last, last)


def test_fourth_pool_is_the_identity_for_small_images() -> None:
    pool = VGG((1, 1, 1, 1, 1), 10).pool3
    small, large = u((2, 5, 7, 7), 1).requires_grad_(), u((2, 5, 8, 8), 2)
    assert torch.equal(pool(small), small)
    assert torch.equal(torch.autograd.grad(pool(small).sum(), small)[0], torch.ones_like(small))
    assert torch.equal(pool(large), large.reshape(2, 5, 4, 2, 4, 2).amax((3, 5)))


def test_compiles_without_graph_break() -> None:
    network = VGG((1, 1, 1, 1, 1), 10).eval()
    images = u((1, 3, 64, 64), 1).float()
    with torch.no_grad():
        assert torch.equal(torch.compile(network, backend="eager", fullgraph=True)(images), network(images))


def test_stages_are_activated_preacts() -> None:
    network = VGG((1, 1, 2, 2, 2), 10)
    anatomy = anatomy_of(network)
    _, seen = read(network, u((2, 3, 32, 32), 1).float(), places(network))
    for stage, preact, norm in zip(anatomy.stages, anatomy.preacts, anatomy.norms, strict=True):
        assert norm.startswith(f"{preact}.")
        assert seen[preact].min() < 0
        assert torch.equal(seen[stage], seen[preact].relu())


def test_initialisation() -> None:
    network = VGG((1, 1, 1, 1, 1), 100)
    assert network.classifier.weight.std().item() == pytest.approx(0.01, rel=0.02)
    biases = [value for key, value in network.named_parameters() if key.endswith("bias")]
    assert all(bias.count_nonzero() == 0 for bias in biases)
