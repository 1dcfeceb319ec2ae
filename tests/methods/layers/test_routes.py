from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.method import Spot
from stillhouse.methods.layers.routes import LOGITS, Routes, line_up, place_names
from stillhouse.models import zoo
from stillhouse.rng import seeded
from stillhouse.taps import Outputs, Tapped

SIZE = 16
BATCH = Batch(
    torch.randn(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)), torch.arange(4), torch.arange(4)
)


def _outputs(student: nn.Module, teacher: nn.Module, spots: Sequence[Spot]) -> list[Outputs]:
    """Of both networks in eval mode, so that routes can be compared with what they say."""
    outputs = []
    for i, model in enumerate((student, teacher)):
        net = Tapped(model, Anatomy.of(model, SIZE)).eval().requires_grad_(i == 0)
        net.tap([*(spot[i] for spot in spots), "embedding"])
        with torch.no_grad():
            outputs.append(net(BATCH.images))
    return outputs


def _stages(student: str, teacher: str) -> list[Outputs]:
    with seeded(0, "networks"):
        return _outputs(zoo(student, 10), zoo(teacher, 10), [Spot("stage1", "stage2"), Spot("stage3", "stage3")])


@pytest.mark.parametrize(("student", "teacher"), [("resnet8", "resnet14"), ("MobileNetV2", "vgg8")])
def test_a_route_through_one_network_is_that_network(student: str, teacher: str) -> None:
    s, t = _stages(student, teacher)
    places, _ = line_up([Spot("stage1", "stage2"), Spot("stage3", "stage3")], s, t)
    for fresh in (False, True):
        routes = Routes(s, t, places, SIZE, fresh)
        routed = routes(s, t, torch.tensor([[0.0] * 3, [1.0] * 3] * 2), BATCH)
        torch.testing.assert_close(routed[0::2], s.logits[0::2], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(routed[1::2], t.logits[1::2], rtol=1e-5, atol=1e-6)


def test_a_route_changes_at_junctions() -> None:
    """The last sample goes from the teacher to the student and back."""
    s, t = _stages("resnet8", "resnet14")
    places, _ = line_up([Spot("stage1", "stage2"), Spot("stage3", "stage3")], s, t)
    routes = Routes(s, t, places, SIZE, fresh=False).eval()
    routed = routes(s, t, torch.tensor([[1.0, 0.0, 1.0]] * 4), BATCH)
    first, second = routes.junctions
    blocks = [net.net.model.get_submodule for net in (s, t)]
    with torch.no_grad():
        x = blocks[1]("layer2")(
            blocks[1]("layer1")(blocks[1]("relu")(blocks[1]("bn1")(blocks[1]("conv1")(BATCH.images))))
        )
        x = blocks[0]("layer3")(blocks[0]("layer2")(first.to_student(x)))  # type: ignore[operator] # modules
        x = blocks[1]("fc")(second.to_teacher(x).mean((2, 3)))  # type: ignore[operator] # modules
    torch.testing.assert_close(routed.detach(), x, rtol=1e-4, atol=1e-5)


def test_gradient_of_a_decision_is_the_difference_of_its_ways() -> None:
    s, t = _stages("resnet8", "resnet14")
    routes = Routes(s, t, [LOGITS], SIZE, fresh=False)
    gates = torch.tensor([[0.0], [1.0], [1.0], [0.0]], requires_grad=True)
    slopes = torch.randn(4, 10)
    (gradient,) = torch.autograd.grad(routes(s, t, gates, BATCH), gates, slopes)
    torch.testing.assert_close(gradient[:, 0], ((t.logits - s.logits) * slopes).sum(1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("swapped", [False, True])
def test_between_transformers_and_convolutional_networks(swapped: bool) -> None:
    timm = pytest.importorskip("timm")
    options = {"img_size": SIZE, "patch_size": 4, "depth": 4, "num_classes": 10}
    nets = [zoo("resnet8", 10), timm.create_model("vit_tiny_patch16_224", **options)]
    spots = [Spot("stage1", "stage2"), Spot("stage3", "stage4"), Spot("embedding", "embedding")]
    if swapped:
        nets, spots = nets[::-1], [Spot(spot.teacher, spot.student) for spot in spots]
    s, t = _outputs(nets[0], nets[1], spots)
    routes = Routes(s, t, line_up(spots, s, t)[0], SIZE, fresh=False)
    assert not routes.homogeneous
    gates = torch.randint(0, 2, (4, 4)).float().requires_grad_()
    loss = routes(s, t, gates, BATCH).square().sum()
    gradients = torch.autograd.grad(loss, [gates, *routes.parameters()])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(gradient.abs().sum() > 0 for gradient in gradients[:1])


def test_places_stand_in_the_order_in_which_they_run() -> None:
    named = [Spot("stage1", "logits"), Spot("last_stage", "map"), Spot("stage2", "stage1"), Spot("stage3", "stage3")]
    s, t = _outputs(zoo("resnet8", 10), zoo("resnet14", 10), named)
    places, place_of = line_up(named, s, t)
    assert places == [Spot("stage2", "stage1"), Spot("last_stage", "map"), LOGITS]
    assert [place_of[spot] for spot in named] == [2, 1, 0, 1]  # last_stage, map and stage3 are one place here
    crossing = [Spot("stage1", "stage3"), Spot("stage2", "stage1")]
    with pytest.raises(ValueError, match=r"cross \(stage1 with stage3, stage2 with stage1, logits with logits\)"):
        line_up(crossing, *_outputs(zoo("resnet8", 10), zoo("resnet14", 10), crossing))


def test_homogeneous_networks() -> None:
    def homogeneous(student: str, teacher: str) -> bool:
        s, t = _outputs(zoo(student, 10), zoo(teacher, 10), [Spot("stage3", "stage3")])
        return Routes(s, t, [Spot("stage3", "stage3"), LOGITS], SIZE, fresh=False).homogeneous

    assert homogeneous("resnet8", "resnet20")
    assert homogeneous("wrn_16_1", "wrn_40_1")
    assert not homogeneous("resnet8", "resnet8x4")
    assert not homogeneous("resnet8", "wrn_16_1")


def test_routes_between_equal_networks_begin_with_the_teacher_unless_it_runs_anew() -> None:
    spots = [Spot("stage3", "stage3")]
    for teacher, fresh, prior in (("resnet20", False, 10), ("resnet20", True, 0), ("resnet8x4", False, 0)):
        s, t = _outputs(zoo("resnet8", 10), zoo(teacher, 10), spots)
        assert Routes(s, t, [*spots, LOGITS], SIZE, fresh).usual_prior == prior


def test_places_are_called_after_the_student_and_after_both_where_it_is_there_twice() -> None:
    places = [Spot("stage1", "stage1"), Spot("stage1", "stage2"), Spot("stage3", "stage4"), LOGITS]
    assert place_names(places) == ["stage1_stage1", "stage1_stage2", "stage3", "logits"]


def test_autocast_is_that_of_the_student() -> None:
    s, t = _stages("resnet8", "resnet14")
    places, _ = line_up([Spot("stage1", "stage2")], s, t)
    routes = Routes(s, t, places, SIZE, fresh=False)
    gates = torch.tensor([[0.0, 1.0], [1.0, 0.0]] * 2)
    exact = routes(s, t, gates, BATCH)
    rounded = routes(replace(s, precision=torch.bfloat16), t, gates, BATCH)
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    torch.testing.assert_close(exact, rounded, rtol=0.1, atol=0.1 * exact.abs().max().item())
