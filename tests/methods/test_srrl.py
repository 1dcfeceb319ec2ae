import pytest
import torch
from torch import nn

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import SRRL
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.helpers.batches import DATA, TINY_DATA, tiny_batch
from tests.helpers.contract import ZERO_LOSS
from tests.helpers.networks import TokenNet, tiny

REFUSES = {"a transformer from a CNN"}
NOTES = {ZERO_LOSS}


def test_features_and_logits_are_compared_behind_the_connector() -> None:
    student, teacher = tiny().double(), Tapped(tiny(width=6, seed=1).double()).requires_grad_(False)
    method = SRRL(logit_weight=0.5)
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    batch = tiny_batch()
    images = batch.images.double()
    s, t = distillation.student(images), teacher(images)
    losses = method(s, t, batch)

    conv, norm = method.connector[0], method.connector[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    x = torch.einsum("nchw,dc->ndhw", s["map"], conv.weight[:, :, 0, 0])
    x = (x - x.mean((0, 2, 3))[:, None, None]) / (x.var((0, 2, 3), correction=0)[:, None, None] + norm.eps).sqrt()
    rectified = x.clamp(min=0).mean((2, 3))  # the connector's BatchNorm is fresh: weight 1, bias 0
    head = teacher.model.get_submodule("fc")
    assert isinstance(head, nn.Linear)
    logits = (rectified @ head.weight.T + head.bias).tolist()
    for n in range(6):
        features = zip(rectified[n].tolist(), t["embedding"][n].tolist(), strict=True)
        feature_loss = sum((a - b) ** 2 for a, b in features) / 18
        logit_loss = sum((a - b) ** 2 for a, b in zip(logits[n], t.logits[n].tolist(), strict=True)) / 5
        assert losses[n].item() == pytest.approx(feature_loss + 0.5 * logit_loss, rel=1e-10)


def test_the_student_and_the_connector_learn_and_the_classifier_does_not() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    method = SRRL()
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    batch = tiny_batch()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["SRRL"])
    assert student.conv2.weight.grad is not None
    assert student.fc.weight.grad is None
    assert all(parameter.grad is not None for parameter in method.connector.parameters())
    assert all(parameter.grad is None for parameter in [*method.classifier.parameters(), *teacher.parameters()])
    (group,) = method.groups()
    assert {id(p) for p in group.parameters} == {id(p) for p in method.connector.parameters()}


def test_a_perfect_student_pays_nothing() -> None:
    teacher = Tapped(tiny(width=4)).requires_grad_(False)
    method = SRRL()
    Distillation(tiny(width=4), teacher, [method], TINY_DATA)
    method.connector = nn.Sequential(nn.Identity())
    teacher.tap(["map"])
    outputs = teacher(tiny_batch().images)
    assert method(outputs, outputs, tiny_batch()).max() < 1e-12


def test_networks_without_maps_are_read_at_their_embeddings() -> None:
    with pytest.raises(ValueError, match=r"SRRL: the student must have a map .* use SRRL\(at='embedding'\)"):
        Distillation(TokenNet(), zoo("resnet8", 5), [SRRL()], TINY_DATA)
    method = SRRL(at="embedding")
    distillation = Distillation(TokenNet(), zoo("resnet8", 5), [method], TINY_DATA)
    assert method.spots == [Spot("embedding", "embedding")]
    teacher = Tapped(zoo("resnet8", 5))
    teacher.tap(["embedding"])
    batch = tiny_batch()
    assert distillation(batch, teacher(batch.images))["SRRL"].isfinite()


def test_a_signed_embedding_is_met_by_a_signed_connector() -> None:
    signed, rectified = SRRL(), SRRL()
    Distillation(tiny(), TokenNet(), [signed], TINY_DATA)
    Distillation(tiny(), tiny(width=6), [rectified], TINY_DATA)
    features = u((4, 12, 4, 4), 1).float()
    assert signed.connector(features).min() < 0
    assert rectified.connector(features).min() == 0


def test_tokens_as_a_place_are_refused() -> None:
    with pytest.raises(ValueError, match=r"SRRL compares maps .* the student's features are \(2, 16, 8\)"):
        Distillation(TokenNet(), tiny(), [SRRL(at="norm")], TINY_DATA)


def test_a_classifier_that_cannot_be_reused_is_refused() -> None:
    teacher = zoo("resnet8", 10)
    teacher.fc = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 10))
    with pytest.raises(
        ValueError, match="SRRL: the teacher's classifier must be one linear layer on the mean of its 'embedding'"
    ):
        Distillation(zoo("resnet8", 10), teacher, [SRRL()], DATA)
