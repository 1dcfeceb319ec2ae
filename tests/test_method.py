from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch
from stillhouse.distillation import Distillation
from stillhouse.method import (
    FeatureMethod,
    Group,
    LogitMethod,
    Method,
    RelationalMethod,
    Spot,
    SpotMethod,
    needs_maps,
    pair,
)
from stillhouse.methods import CE
from stillhouse.taps import Outputs
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny

TWO = Anatomy(stages=("a", "b"), preacts=("a:in", "b:in"))
THREE = Anatomy(stages=("a", "b", "c"), preacts=("a:in", "b:in", "c:in"))


class _Distance(FeatureMethod):
    """The mean squared difference; the student's channels are first brought to the teacher's number."""

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return nn.Conv2d(student.shape[1], teacher.shape[1], 1)

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().flatten(1).mean(1)


def _outputs(method: Method) -> tuple[Distillation, Outputs, Outputs, Batch]:
    student, teacher = tiny(width=4), tiny(width=6, seed=1)
    distillation = Distillation(student, teacher, [method], TINY_DATA)
    batch = tiny_batch()
    other = Distillation(tiny(width=6, seed=1), tiny(), [], TINY_DATA).student
    other.tap(spot.teacher for spot in method.spots)
    return distillation, distillation.student(batch.images), other(batch.images), batch


def test_stages_are_paired_deepest_with_deepest() -> None:
    assert pair("stages", THREE, THREE) == [Spot(f"stage{i}", f"stage{i}") for i in (1, 2, 3)]
    assert pair("stages", TWO, THREE) == [Spot("stage1", "stage2"), Spot("stage2", "stage3")]
    assert pair("stages", THREE, TWO) == [Spot("stage2", "stage1"), Spot("stage3", "stage2")]
    assert pair("preacts", TWO, THREE) == [Spot("preact1", "preact2"), Spot("preact2", "preact3")]


def test_one_name_is_one_place_in_both_networks() -> None:
    assert pair("last_stage", TWO, THREE) == [Spot("last_stage", "last_stage")]
    assert pair("layer3.0", TWO, THREE) == [Spot("layer3.0", "layer3.0")]


def test_a_list_of_places_is_taken_as_it_is() -> None:
    assert pair([("stage2", "layer3.0"), ("b", "map")], TWO, THREE) == [Spot("stage2", "layer3.0"), Spot("b", "map")]


@pytest.mark.parametrize("at", ["stages", "preacts"])
def test_networks_without_stages_cannot_be_paired(at: str) -> None:
    for student, teacher, who in ((Anatomy(), TWO, "student"), (TWO, Anatomy(), "teacher")):
        with pytest.raises(ValueError, match=rf"the {who} must have {at}, but none were found; .* at=\[\(student"):
            pair(at, student, teacher)


def test_needs_maps_names_the_network_without_maps() -> None:
    needs_maps("AT", student=torch.zeros(2, 3, 4, 4), teacher=torch.zeros(2, 5, 4, 4))
    with pytest.raises(
        ValueError, match=r"^AT compares maps \(N, C, H, W\), but the teacher's features are \(2, 17, 64\)"
    ):
        needs_maps("AT", student=torch.zeros(2, 3, 4, 4), teacher=torch.zeros(2, 17, 64))


def test_each_spot_has_a_connector_of_its_own() -> None:
    method = _Distance(1.0)
    _, student, teacher, batch = _outputs(method)
    assert [tuple(c.weight.shape[:2]) for c in method.connectors if isinstance(c, nn.Conv2d)] == [
        (6, 4),
        (12, 8),
        (18, 12),
    ]
    for spot, connector in zip(method.spots, method.connectors, strict=True):
        expected = method.loss(connector(student[spot.student]), teacher[spot.teacher])
        assert torch.equal(method.loss_at(spot, student, teacher, batch), expected)


def test_a_spot_method_is_the_sum_over_its_spots() -> None:
    method = _Distance(1.0)
    _, student, teacher, batch = _outputs(method)
    apart = [method.loss_at(spot, student, teacher, batch) for spot in method.spots]
    torch.testing.assert_close(method(student, teacher, batch), apart[0] + apart[1] + apart[2])


def test_scalar_and_per_sample_spots_add_up_to_the_same_mean() -> None:
    class Mixed(SpotMethod):
        def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
            return [Spot("logits", "logits"), Spot("embedding", "embedding")]

        def loss_at(self, spot: Spot, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
            each = student[spot.student].square().mean(1)
            return each if spot.student == "logits" else each.mean()

    method = Mixed(1.0)
    _, student, teacher, batch = _outputs(method)
    expected = student.logits.square().mean() + student["embedding"].square().mean()
    torch.testing.assert_close(method(student, teacher, batch).mean(), expected)


def test_a_logit_method_reads_logits_and_labels() -> None:
    class Seen(LogitMethod):
        def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
            return student.sum(1) + 10 * teacher.sum(1) + 100 * labels

    method = Seen(1.0)
    _, student, teacher, batch = _outputs(method)
    assert method.spots == [Spot("logits", "logits")]
    expected = student.logits.sum(1) + 10 * teacher.logits.sum(1) + 100 * batch.labels
    assert torch.equal(method(student, teacher, batch), expected)


def test_a_scalar_loss_sees_only_the_samples_that_are_on() -> None:
    class Spread(FeatureMethod):
        def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
            return student.var() + teacher.var()

    method = Spread(1.0, at="embedding")
    _, student, teacher, batch = _outputs(method)
    active = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    (spot,) = method.spots
    kept = student["embedding"][active > 0].var() + teacher["embedding"][active > 0].var()
    torch.testing.assert_close(method.loss_at(spot, student, teacher, replace(batch, active=active)), kept)
    assert method.loss_at(spot, student, teacher, replace(batch, active=torch.zeros(6))) == 0


def test_a_per_sample_loss_leaves_masking_to_whoever_asks() -> None:
    method = _Distance(1.0, at="last_stage")
    _, student, teacher, batch = _outputs(method)
    (spot,) = method.spots
    masked = method.loss_at(spot, student, teacher, replace(batch, active=torch.zeros(6)))
    assert torch.equal(masked, method.loss_at(spot, student, teacher, batch))


def test_a_relational_method_is_given_the_mask() -> None:
    class Told(RelationalMethod):
        def loss(self, student: Tensor, teacher: Tensor, active: Tensor | None = None) -> Tensor:
            return student.new_tensor(-1.0) if active is None else active.sum()

    method = Told(1.0, at="embedding")
    _, student, teacher, batch = _outputs(method)
    (spot,) = method.spots
    assert method.loss_at(spot, student, teacher, batch) == -1
    assert method.loss_at(spot, student, teacher, replace(batch, active=torch.ones(6))) == 6


def test_only_methods_that_say_so_need_no_teacher() -> None:
    assert _Distance(1.0).needs_teacher
    assert not CE().needs_teacher


def test_frozen_parameters_are_not_trained() -> None:
    method = _Distance(1.0)
    _outputs(method)
    first, second, third = method.connectors
    second.requires_grad_(False)
    (group,) = method.groups()
    assert group == Group([*first.parameters(), *third.parameters()])


def test_by_default_a_method_does_nothing_beside_its_loss() -> None:
    method, net = CE(), tiny()
    assert method.warmups(*(Distillation(net, tiny(), [], TINY_DATA).student,) * 2) == ()
    assert method.observations() == {}
    assert method.teacher_statistics == "running"
    assert method.deploy(net) is net
