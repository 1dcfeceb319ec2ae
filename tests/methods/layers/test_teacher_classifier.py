import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.checkpoints import load_weights, save_weights
from stillhouse.methods.layers.teacher_classifier import ReusedClassifier, frozen_classifier
from stillhouse.methods.simkd import Projector
from stillhouse.models import zoo
from stillhouse.taps import Outputs, Tapped, probe
from tests.helpers.networks import tiny


def _said(network: nn.Module, *places: str) -> Outputs:
    net = Tapped(network)
    net.tap(places)
    return probe(net, 32)


class _Normed(nn.Module):
    """A LayerNorm stands between the pool and the head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.pool = nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        self.norm, self.fc = nn.LayerNorm(6), nn.Linear(6, 5)
        self.anatomy = Anatomy(map="act", head="fc")

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.norm(self.pool(self.act(self.conv(images))).flatten(1)))
        return logits


@pytest.mark.parametrize(("name", "path", "width"), [("resnet8", "fc", 64), ("MobileNetV2_tiny", "conv2", 1280)])
def test_the_copy_says_what_the_teacher_says_and_is_not_trained(name: str, path: str, width: int) -> None:
    teacher = zoo(name, 10)
    for place in ("map", "embedding"):
        classifier = frozen_classifier(_said(teacher, place), place)
        features = torch.randn(3, width)
        head = teacher.get_submodule(path)
        assert classifier(features).equal(head(features))
        assert classifier is not head
        assert not any(parameter.requires_grad for parameter in classifier.parameters())
        assert not classifier._forward_pre_hooks  # the teacher's taps stay with the teacher


def test_a_place_that_the_classifier_does_not_read_is_refused() -> None:
    outputs = _said(_Normed(), "map", "embedding")
    assert frozen_classifier(outputs, "embedding").out_features == 5
    with pytest.raises(
        ValueError, match=r"must be one linear layer on the mean of its 'map', .* \(its head is a Linear"
    ):
        frozen_classifier(outputs, "map")
    with pytest.raises(ValueError, match="on the mean of its 'stage1'"):
        frozen_classifier(_said(zoo("resnet8", 10), "stage1"), "stage1")


def test_a_head_of_several_layers_is_refused() -> None:
    network = tiny()
    network.fc = nn.Sequential(nn.Linear(12, 8), nn.Linear(8, 5))  # type: ignore[assignment] # a stand-in for the test
    net = Tapped(network, Anatomy(map="act2", head="fc"))
    net.tap(["embedding"])
    with pytest.raises(ValueError, match=r"\(its head is a Sequential\); choose another place"):
        frozen_classifier(probe(net, 16), "embedding")


def _reused(student: nn.Module | None = None) -> ReusedClassifier:
    return ReusedClassifier(student or zoo("resnet8", 10), Projector(64, 16, (8, 8)), nn.Linear(16, 7)).eval()


IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_the_student_is_read_at_its_map_and_classified_by_the_teachers_head() -> None:
    student = zoo("resnet8", 10)
    network = _reused(student)
    tapped = Tapped(student).eval()
    tapped.tap(["map"])
    expected = network.classifier(network.projector(tapped(IMAGES)["map"]).mean((2, 3)))
    assert network(IMAGES).equal(expected)


def test_weights_are_shared_and_modes_are_not() -> None:
    student = zoo("resnet8", 10)
    network, before = _reused(student), None
    for _ in range(2):
        now = network(IMAGES)
        assert before is None or not now.equal(before)
        before = now
        with torch.no_grad():
            student.get_parameter("conv1.weight").mul_(2)
            student.get_buffer("bn1.running_mean").add_(1)
    assert student.training
    assert not network.student.training


def test_the_student_is_left_as_it_was() -> None:
    student = zoo("resnet8", 10)
    before = student(IMAGES)
    for _ in range(3):
        _reused(student)(IMAGES)
    assert student(IMAGES).equal(before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in student.modules())


def test_the_students_own_classifier_is_not_shipped() -> None:
    student = zoo("resnet8", 10)
    network = _reused(student)
    assert not any("fc" in name for name in network.state_dict())
    count = sum(parameter.numel() for parameter in network.parameters())
    parts = [student, network.projector, network.classifier]
    assert count == sum(p.numel() for part in parts for p in part.parameters()) - 64 * 10 - 10


def test_weights_load_without_the_teacher(tmp_path: Path) -> None:
    network, fresh = _reused(), _reused()
    save_weights(network, tmp_path / "student.safetensors", {})
    assert not fresh(IMAGES).equal(network(IMAGES))
    load_weights(fresh, tmp_path / "student.safetensors")
    assert fresh(IMAGES).equal(network(IMAGES))


def test_the_network_exports_and_copies() -> None:
    network = _reused()
    torch.testing.assert_close(torch.export.export(network, (IMAGES,)).module()(IMAGES), network(IMAGES))
    assert copy.deepcopy(network)(IMAGES).equal(network(IMAGES))


def test_it_can_teach_in_turn() -> None:
    network = _reused()
    net = Tapped(network)
    net.tap(["stage2", "preact3", "map", "embedding", "stem"])
    outputs = net(IMAGES)
    assert outputs["map"].shape == (3, 16, 8, 8)
    assert outputs["stage2"].shape == (3, 32, 16, 16)
    torch.testing.assert_close(net.head(outputs["map"].mean((2, 3))), outputs.logits)
    assert frozen_classifier(outputs, "map").out_features == 7


class _ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block, self.fc = nn.Linear(3, 6), nn.Linear(6, 5)
        self.anatomy = Anatomy(("block",), "fc", map="block", channels_last=True)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.block(images.movedim(1, -1)).mean((1, 2)))
        return logits


def test_the_projected_map_of_a_channels_last_student_is_no_landmark() -> None:
    """Its channels come first, so that it would be read as something else than it is."""
    network = ReusedClassifier(_ChannelsLast(), Projector(6, 16, (32, 32)), nn.Linear(16, 7)).eval()
    assert network.anatomy.channels_last
    assert network.anatomy.map is None
    assert _reused().anatomy.map == "projector"
    net = Tapped(network)
    net.tap(["stage1"])
    assert net(IMAGES)["stage1"].shape == (3, 6, 32, 32)


def test_a_student_read_at_its_embedding() -> None:
    network = ReusedClassifier(zoo("resnet8", 10), Projector(64, 16, (1, 1)), nn.Linear(16, 7), "embedding").eval()
    assert network(IMAGES).shape == (3, 7)
    assert not any("fc" in name for name in network.state_dict())
