import pytest
import torch
from torch import nn

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import SimKD
from stillhouse.methods.layers.teacher_classifier import ReusedClassifier
from stillhouse.methods.simkd import Projector
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer
from tests.golden.closed_form import u
from tests.helpers.batches import DATA, TINY_DATA, tiny_batch
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import TokenNet, tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}


def test_each_sample_is_charged_its_mean_squared_error() -> None:
    student, teacher = u((3, 2, 4, 4), 1), u((3, 2, 4, 4), 2)
    losses = SimKD().loss(student, teacher)
    for n in range(3):
        pairs = zip(student[n].flatten().tolist(), teacher[n].flatten().tolist(), strict=True)
        assert losses[n].item() == pytest.approx(sum((s - t) ** 2 for s, t in pairs) / 32, rel=1e-12)


def test_a_larger_teachers_map_is_pooled() -> None:
    student, teacher = u((3, 2, 4, 4), 1), u((3, 2, 8, 8), 2)
    pooled = teacher.reshape(3, 2, 4, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close(SimKD().loss(student, teacher), SimKD().loss(student, pooled))


def test_a_larger_students_map_is_pooled_before_the_projector() -> None:
    projector = Projector(2, 6, (4, 4)).double().eval()
    features = u((3, 2, 8, 8), 1)
    pooled = features.reshape(3, 2, 4, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close(projector(features), projector(pooled))


def test_the_projector_is_a_bottleneck_of_three_convolutions() -> None:
    layers = Projector(5, 12, (4, 4), reduction=3).layers
    assert [type(layer).__name__ for layer in layers] == ["Conv2d", "BatchNorm2d", "ReLU"] * 3
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [tuple(conv.weight.shape) for conv in convolutions] == [(4, 5, 1, 1), (4, 4, 3, 3), (12, 4, 1, 1)]
    assert all(conv.bias is None for conv in convolutions)


def test_the_projector_ends_signed_where_the_teacher_is() -> None:
    signed, rectified = SimKD(at="embedding"), SimKD(at="embedding")
    Distillation(tiny(), TokenNet(), [signed], TINY_DATA)
    Distillation(tiny(), tiny(width=6), [rectified], TINY_DATA)
    features = u((4, 12), 1).float()
    assert signed.connectors[0](features).min() < 0
    assert rectified.connectors[0](features).min() == 0


def _train(distillation: Distillation, teacher: Tapped, steps: int) -> list[float]:
    optimizer = Optimizer(distillation.phases(1)[-1], TrainConfig(lr=0.1, milestones=()))
    losses = []
    for step in range(steps):
        terms = distillation(tiny_batch(step=step % 2), teacher(tiny_batch(step=step % 2).images))
        optimizer.step(terms)
        losses.append(terms["SimKD"].item())
    return losses


def test_what_is_shipped_follows_the_student_and_ends_in_the_teachers_classifier() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).eval().requires_grad_(False)
    method = SimKD(weight=100.0)
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    early = distillation.deploy().eval()
    losses = _train(distillation, teacher, 30)
    assert losses[-1] < 0.5 * losses[0]
    head = teacher.head
    assert isinstance(head, nn.Linear)
    assert method.classifier.weight.equal(head.weight)

    images = tiny_batch().images
    distillation.eval()
    features = method.connectors[0](distillation.student(images)["map"])
    expected = features.mean((2, 3)) @ head.weight.T + head.bias
    for shipped in (early, distillation.deploy().eval()):  # what was shipped before has learned along
        assert isinstance(shipped, ReusedClassifier)
        torch.testing.assert_close(shipped(images), expected)


def test_a_student_that_matches_the_teachers_map_says_what_the_teacher_says() -> None:
    teacher = Tapped(tiny(width=4)).eval().requires_grad_(False)
    method = SimKD()
    distillation = Distillation(tiny(width=4), teacher, [method], TINY_DATA)
    method.connectors[0] = nn.Identity()
    images = tiny_batch().images
    torch.testing.assert_close(distillation.deploy().eval()(images), teacher(images).logits)


def test_only_the_student_and_the_projector_learn() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    method = SimKD()
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    batch = tiny_batch()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["SimKD"])
    assert student.conv2.weight.grad is not None
    assert student.fc.weight.grad is None
    (group,) = method.groups()
    assert {id(p) for p in group.parameters} == {id(p) for p in method.connectors.parameters()}
    assert all(parameter.grad is not None for parameter in method.connectors.parameters())


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_networks_without_maps_are_compared_at_their_embeddings(who: str) -> None:
    student, teacher = (TokenNet(), tiny()) if who == "student" else (tiny(), TokenNet())
    with pytest.raises(ValueError, match=rf"SimKD: the {who} must have a map .* use SimKD\(at='embedding'\)"):
        Distillation(student, teacher, [SimKD()], TINY_DATA)
    distillation = Distillation(student, teacher, [SimKD(at="embedding")], TINY_DATA)
    assert distillation.deploy().eval()(tiny_batch().images).shape == (6, 5)


def test_a_map_meets_an_embedding() -> None:
    method = SimKD(at=[("map", "embedding")])
    distillation = Distillation(tiny(), TokenNet(), [method], TINY_DATA)
    assert method.spots == [Spot("map", "embedding")]
    teacher = Tapped(TokenNet())
    teacher.tap(["embedding"])
    batch = tiny_batch()
    assert distillation(batch, teacher(batch.images))["SimKD"].isfinite()
    assert distillation.deploy().eval()(batch.images).shape == (6, 5)


def test_more_than_one_place_is_refused() -> None:
    with pytest.raises(ValueError, match="SimKD must read one place, the last before the classifier, not 3"):
        Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [SimKD(at="stages")], DATA)


def test_a_place_that_the_classifier_does_not_read_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one linear layer on the mean of its 'stage2'"):
        Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [SimKD(at="stage2")], DATA)
