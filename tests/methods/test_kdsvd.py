from math import exp, sqrt

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import KDSVD
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm
from tests.helpers.batches import TINY_DATA, empty_batch, outputs
from tests.helpers.contract import GRAPH, UNEQUAL_WIDTHS
from tests.helpers.networks import tiny

REFUSES = UNEQUAL_WIDTHS
NOTES = {GRAPH}


def _loss(student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    method = KDSVD()
    names = [f"stage{i + 1}" for i in range(len(student))]
    method.spots = [Spot(name, name) for name in names]
    s, t = (outputs(**dict(zip(names, maps, strict=True))) for maps in (student, teacher))
    losses: Tensor = method(s, t, empty_batch(len(student[0])))
    return losses


def _first_vector(features: Tensor) -> list[float]:
    """(C, H, W) -> the first right singular vector of (H W, C), by powers of its square"""
    rows = features.flatten(1).T.tolist()
    channels = range(len(rows[0]))
    square = [[sum(row[i] * row[j] for row in rows) for j in channels] for i in channels]
    vector = [1.0 for _ in channels]
    for _ in range(300):
        vector = [sum(square[i][j] * vector[j] for j in channels) for i in channels]
        length = sqrt(sum(x**2 for x in vector))
        vector = [x / length for x in vector]
    return vector


def test_each_sample_is_charged_for_how_its_directions_relate() -> None:
    shapes = [(3, 3, 4, 4), (3, 5, 2, 2), (3, 4, 3, 2)]
    student, teacher = ([u(shape, seed + i).abs() for i, shape in enumerate(shapes)] for seed in (10, 20))
    losses = _loss(student, teacher)
    for n in range(3):
        s, t = ([_first_vector(maps[n]) for maps in network] for network in (student, teacher))
        expected = 0.0
        for i in (1, 2):
            for a in range(len(s[i - 1])):
                for b in range(len(s[i])):
                    of_student = exp(-((s[i][b] - s[i - 1][a]) ** 2) / 8)
                    expected += (of_student - exp(-((t[i][b] - t[i - 1][a]) ** 2) / 8)) ** 2
        assert losses[n].item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    shapes = [(8, 6, 6, 6), (8, 8, 4, 4)]
    student = [u(shape, seed).clamp(min=0).requires_grad_() for shape, seed in zip(shapes, (91, 92), strict=True)]
    teacher = [u(shape, seed).clamp(min=0) for shape, seed in zip(shapes, (93, 94), strict=True)]
    loss = _loss(student, teacher).mean()
    assert loss.item() == pytest.approx(0.0026327177586435283, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.0015365108699016763, rel=1e-8)


@pytest.mark.parametrize("size", [2, 4], ids=["fewer positions than channels", "more"])
def test_gradient_follows_the_vector(size: int) -> None:
    shapes = [(2, 6, size, size), (2, 5, 2, 2)]
    student, teacher = ([u(shape, seed + i) for i, shape in enumerate(shapes)] for seed in (10, 20))
    leaves = [features.requires_grad_() for features in student]
    assert torch.autograd.gradcheck(lambda *maps: _loss(list(maps), teacher), leaves)


def test_the_students_vector_may_be_its_second_and_point_the_other_way() -> None:
    """Two directions, of which the teacher shows one more and the student, reversed, the other."""
    directions = torch.linalg.qr(u((6, 2), 1)).Q  # (C, 2)
    places = torch.linalg.qr(u((4, 2), 2)).Q
    weak, strong = torch.tensor([3.0, 1.0]).double(), torch.tensor([-1.0, 3.0]).double()
    teacher, student = ((directions * w @ places.T).reshape(1, 6, 2, 2) for w in (weak, strong))
    other = u((1, 5, 2, 2), 3)
    torch.testing.assert_close(_loss([student, other], [teacher, other]).item(), 0.0, rtol=0, atol=1e-20)


def test_what_the_solver_cannot_tell_apart_has_no_part_in_the_gradient() -> None:
    student = [torch.zeros(2, 4, 3, 3, requires_grad=True), torch.eye(4).reshape(1, 4, 2, 2).repeat(2, 1, 1, 1)]
    student[1].requires_grad_()
    loss = _loss(student, [u((2, 4, 3, 3), 1).float(), u((2, 4, 2, 2), 2).float()]).sum()
    assert loss.isfinite()
    for gradient in torch.autograd.grad(loss, student):
        assert gradient.isfinite().all()


def test_only_directions_count() -> None:
    shapes = [(2, 4, 3, 3), (2, 5, 2, 2)]
    teacher = [u(shape, seed) for seed, shape in enumerate(shapes, start=1)]
    assert _loss([-3 * features for features in teacher], teacher).max() < 1e-20


@pytest.mark.parametrize("silent", [0, 1])
def test_a_sample_for_which_the_teacher_is_silent_adds_nothing_there(silent: int) -> None:
    """The published code scales vectors by the teacher's first singular value, which is 1 or 0 once normalised."""
    shapes = [(2, 4, 3, 3), (2, 5, 2, 2)]
    student, teacher = ([u(shape, seed + i) for i, shape in enumerate(shapes)] for seed in (1, 3))
    for maps in teacher:
        maps[silent] = 0
    losses = _loss(student, teacher)
    assert losses[silent] == 0
    assert losses[1 - silent] > 0


def _published(student: list[Tensor], teacher: list[Tensor]) -> Tensor:
    """mdistiller's loss, with the sum of the teacher's vectors positive; maps are (C H, W) there."""
    losses, before = torch.zeros(len(student[0])), None
    for s, t in zip(student, teacher, strict=True):
        _, strengths, t_vectors = torch.linalg.svd(t.flatten(1, 2), full_matrices=False)
        first = t_vectors.mT[:, :, :1]
        first = (
            first * torch.where(first.sum(1, keepdim=True) < 0, -1, 1) * functional.normalize(strengths[:, :1])[:, None]
        )
        vectors = torch.linalg.svd(s.flatten(1, 2), full_matrices=False).Vh.mT[:, :, :4]
        along = vectors.mT @ first
        chosen = torch.where(along.abs() == along.abs().amax(1, keepdim=True), along, 0).sign()
        now = vectors @ chosen, first
        if before is not None:
            s_relation, t_relation = (
                (-((upper[:, :, None] - lower[:, None]) ** 2) / 8).exp()[..., 0]
                for upper, lower in zip(now, before, strict=True)
            )
            losses = losses + (s_relation - t_relation).square().sum((1, 2))
        before = now
    return losses


def test_rows_may_be_the_lines_of_all_channels_as_in_mdistiller() -> None:
    student, teacher = (
        [u((3, c, s, s), seed + c) for c, s in shapes]
        for seed, shapes in ((1, [(3, 8), (5, 4)]), (7, [(4, 8), (6, 4)]))
    )
    method = KDSVD(rows="lines")
    method.spots = [Spot("stage1", "stage1"), Spot("stage2", "stage2")]
    s, t = (outputs(stage1=maps[0], stage2=maps[1]) for maps in (student, teacher))
    torch.testing.assert_close(method(s, t, empty_batch(3)), _published(student, teacher), rtol=1e-10, atol=0)
    assert not torch.allclose(
        _published(student, teacher), _published([f.mT for f in student], [f.mT for f in teacher])
    )
    method.build(s, t, TINY_DATA)
    with pytest.raises(
        ValueError,
        match=r"maps of equal width where rows are lines, but the student's 'stage2' is 4 wide .* 'stage2' 2",
    ):
        method.build(s, outputs(stage1=teacher[0], stage2=teacher[1][..., :2]), TINY_DATA)


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"^KDSVD .* at='map' names one; name more"):
        Distillation(tiny(), tiny(), [KDSVD(at="map")], TINY_DATA)
    with pytest.raises(ValueError, match="the student's 'stage1' has 4 and the teacher's 'stage1' 6; choose"):
        Distillation(tiny(), tiny(width=6), [KDSVD()], TINY_DATA)
    with pytest.raises(ValueError, match="KDSVD compares maps"):
        Distillation(tiny(), tiny(), [KDSVD(at=[("act1", "act1"), ("fc:in", "fc:in")])], TINY_DATA)
