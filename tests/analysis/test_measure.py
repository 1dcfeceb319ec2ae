"""What networks and methods make of images is told of the right images."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from stillhouse.analysis.measure import Findings, look
from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.distillation import Distillation
from stillhouse.methods import AT, CE, KD
from stillhouse.methods.wrappers import Ramped, ScaleDecoupled, SpotAdaptive
from stillhouse.rng import seeded
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.evaluation import evaluate
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet

CPU = torch.device("cpu")


class Bright(CE):
    """Makes something of each image that can be seen in its pixels."""

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return {"light/mean": batch.images.mean((1, 2, 3)), "light/corner": batch.images[:, 0, 0, 0]}


@pytest.fixture
def nets() -> tuple[QuickNet, Tapped]:
    with seeded(0, "nets"):
        return QuickNet(dropout=0.5), Tapped(QuickNet(width=8)).eval()


def _look(distillation: Distillation, teacher: Tapped, images: int = 100) -> Findings:
    return look(distillation, distillation.deploy(), teacher, quick_data(), CPU, images)


def test_scores_are_those_of_an_evaluation(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    data = quick_data()
    distillation = Distillation(student, teacher, [CE()], data.info).train()
    findings = _look(distillation, teacher)
    for found, net in ((findings.student, student), (findings.teacher, teacher.model)):
        expected = evaluate(net, data.test, CPU)
        torch.testing.assert_close(found.logits, expected.logits)
        assert torch.equal(found.labels, expected.labels)
    assert student.training  # as it was before
    assert findings.judged == {}


def test_the_extremes_of_a_number_come_with_their_images(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    data = quick_data()
    distillation = Distillation(student, teacher, [Ramped(Bright())], data.info)
    found = _look(distillation, teacher).judged
    assert list(found) == ["Ramped.light/mean", "Ramped.light/corner"]
    (batch,) = data.test.batches(CPU, 100)
    pixels: Tensor = data.test.images  # type: ignore[attr-defined] # it is there, or the test fails
    means = batch.images.mean((1, 2, 3))
    order = means.argsort()
    outermost = torch.cat([order[:8], order[-8:]])
    torch.testing.assert_close(found["Ramped.light/mean"].values, means)
    torch.testing.assert_close(found["Ramped.light/mean"].ends, means[outermost])
    assert torch.equal(found["Ramped.light/mean"].images, pixels[outermost])


def test_spots_are_decided_image_by_image(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    data = quick_data()
    for mode in ("adaptive", "anti", "joint"):
        sakd = SpotAdaptive([KD(), AT()], mode=mode, prior=1.0, fixed={"stage1": True})
        distillation = Distillation(student, teacher, [CE(), sakd], data.info).eval()
        found = _look(distillation, teacher).judged
        assert list(found) == [f"SpotAdaptive.likely/{place}" for place in ("stage1", "stage2", "logits")]
        (batch,) = data.test.batches(CPU, 100)
        outputs = teacher if sakd.teacher is None else sakd.teacher.eval()
        read = [outputs(batch.images)["embedding"], distillation.student(batch.images)["embedding"]]
        scores = sakd.policy.linear(torch.cat(read, 1)).unflatten(1, (-1, 2))
        for column, place in enumerate(("stage1", "stage2", "logits")):
            to_teacher = (scores[:, column, 0] - scores[:, column, 1]).sigmoid()
            expected = 1 - to_teacher if mode == "anti" else to_teacher
            expected = torch.ones(20) if place == "stage1" else expected
            torch.testing.assert_close(found[f"SpotAdaptive.likely/{place}"].values, expected)


def test_without_a_policy_no_image_has_decisions(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    sakd = SpotAdaptive([ScaleDecoupled(KD()), AT()], mode="random")
    found = _look(Distillation(student, teacher, [sakd], quick_data().info), teacher).judged
    assert list(found) == ["SpotAdaptive.ScaleDecoupled.regions/complementary"]


def test_regions_are_complementary_image_by_image(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    data = quick_data()
    distillation = Distillation(student, teacher, [ScaleDecoupled(KD(), scales=(1, 2))], data.info)
    found = _look(distillation, teacher).judged["ScaleDecoupled.regions/complementary"].values
    (batch,) = data.test.batches(CPU, 100)
    features = teacher(batch.images)["map"]
    for i, image in enumerate(features):
        regions = [image, image[:, :2, :2], image[:, :2, 2:], image[:, 2:, :2], image[:, 2:, 2:]]
        seen = [int(teacher.head(region.mean((1, 2))[None]).argmax()) for region in regions]
        assert found[i].item() == pytest.approx(sum(one != seen[0] for one in seen) / 5)


def test_features_are_compared_at_every_stage(nets: tuple[QuickNet, Tapped]) -> None:
    student, _ = nets
    distillation = Distillation(student, Tapped(student).eval(), [CE()], quick_data().info)
    aligned = _look(distillation, Tapped(student)).aligned
    assert aligned is not None
    assert aligned.student == aligned.teacher == ["stage1", "stage2", "embedding"]
    torch.testing.assert_close(aligned.values.diagonal(), torch.ones(3).double())
    assert aligned.values.max() < 1 + 1e-6


@pytest.mark.parametrize("images", [7, 100])
def test_embeddings_keep_their_labels(nets: tuple[QuickNet, Tapped], images: int) -> None:
    student, teacher = nets
    embedded = _look(Distillation(student, teacher, [CE()], quick_data().info), teacher, images).embedded
    assert embedded is not None
    assert embedded.classes == [0, 1, 2, 3]
    assert len(embedded.labels) == min(images, 20)
    assert embedded.labels.tolist() != sorted(embedded.labels.tolist())  # drawn by lot
    (batch,) = quick_data().test.batches(CPU, 100)
    everyone = teacher.model.stage2(teacher.model.stage1(batch.images)).mean((2, 3))  # type: ignore[operator] # modules
    for vector, label in zip(embedded.teacher, embedded.labels, strict=True):
        nearest = (everyone - vector).norm(dim=1).argmin()
        torch.testing.assert_close(everyone[nearest], vector)
        assert batch.labels[nearest] == label


def test_without_landmarks_features_are_not_compared(nets: tuple[QuickNet, Tapped]) -> None:
    student, teacher = nets
    bare = Tapped(teacher.model, Anatomy())
    findings = _look(Distillation(student, bare, [CE()], quick_data().info), bare)
    assert (findings.aligned, findings.embedded) == (None, None)
