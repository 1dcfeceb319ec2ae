import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import ReviewKD
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.patterns import pattern
from tests.helpers.batches import DATA, TINY_DATA, empty_batch, outputs, tiny_batch
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}

TOP = Spot("embedding", "embedding")


def _context_loss(student: Tensor, teacher: Tensor) -> list[float]:
    """Region by region."""
    side = student.shape[2]
    losses = []
    for s, t in zip(student, teacher, strict=True):
        total, weights, weight = 0.0, 0.0, 1.0
        for regions in (side, *(size for size in (4, 2, 1) if size < side)):
            edges = [(i * side // regions, -(-(i + 1) * side // regions)) for i in range(regions)]
            squares = [
                (s[c, top:bottom, left:right].mean() - t[c, top:bottom, left:right].mean()).item() ** 2
                for c in range(len(s))
                for top, bottom in edges
                for left, right in edges
            ]
            total += weight * sum(squares) / len(squares)
            weights, weight = weights + weight, weight / 2
        losses.append(total / weights)
    return losses


@pytest.mark.parametrize("side", [1, 2, 4, 5, 8])
def test_maps_are_compared_at_every_coarseness(side: int) -> None:
    student, teacher = u((2, 3, side, side), 1), u((2, 3, side, side), 2)
    losses = ReviewKD().context_loss(student, teacher)
    assert losses.tolist() == pytest.approx(_context_loss(student, teacher), rel=1e-12)


@pytest.mark.recorded
def test_recorded_context_losses() -> None:
    loss = ReviewKD().context_loss
    large = loss(pattern(3, 8, 1.0, 0.1), pattern(4, 8, 1.2, 0.7)[:, :3]).mean()
    small = loss(pattern(5, 4, 1.5, 0.4), pattern(6, 4, 0.8, 1.0)[:, :5]).mean()
    assert large.item() == pytest.approx(0.1489068864, rel=1e-8)
    assert (large + small).item() == pytest.approx(0.4517117518, rel=1e-8)
    assert loss(pattern(5, 2, 1.0, 0.1), pattern(5, 2, 1.2, 0.7)).mean().item() == pytest.approx(0.1666707517, rel=1e-8)
    vectors = loss(pattern(7, 1, 1.0, 0.1), pattern(9, 1, 1.3, 0.6)[:, :7]).mean()
    assert vectors.item() == pytest.approx(0.2219383554, rel=1e-8)


def _fused(k: int, features: Tensor, method: ReviewKD, above: Tensor | None, side: int) -> tuple[Tensor, Tensor]:
    """One level, written out: what is compared and what is handed on."""
    parameters = {name: value for name, value in method.fusions[k].named_parameters()}

    def normed(x: Tensor, name: str) -> Tensor:
        mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
        x = (x - mean[:, None, None]) / (variance[:, None, None] + 1e-5).sqrt()
        return x * parameters[f"{name}.weight"][:, None, None] + parameters[f"{name}.bias"][:, None, None]

    fused = normed(torch.einsum("nchw,dc->ndhw", features, parameters["narrow.0.weight"][:, :, 0, 0]), "narrow.1")
    if above is not None:
        rows = torch.arange(fused.shape[2]) * above.shape[2] // fused.shape[2]  # the nearest position there
        above = above[:, :, rows][:, :, :, rows]
        both = torch.cat([fused, above], 1)
        scores = torch.einsum("nchw,dc->ndhw", both, parameters["attention.weight"][:, :, 0, 0])
        share = 1 / (1 + torch.exp(-scores - parameters["attention.bias"][:, None, None]))
        fused = share[:, :1] * fused + share[:, 1:] * above
    rows = torch.arange(side) * fused.shape[2] // side
    fused = fused[:, :, rows][:, :, :, rows]
    return normed(F.conv2d(fused, parameters["widen.0.weight"], padding=1), "widen.1"), fused


def test_levels_are_reviewed_from_the_deepest_up() -> None:
    student = {"stage1": u((4, 3, 8, 8), 1), "stage2": u((4, 5, 4, 4), 2), "embedding": u((4, 6), 3)}
    teacher = {"preact1": u((4, 4, 8, 8), 4), "preact2": u((4, 7, 8, 8), 5), "embedding": u((4, 9), 6)}
    method = ReviewKD()
    method.spots = [Spot("stage1", "preact1"), Spot("stage2", "preact2"), TOP]
    method.build(outputs(**student), outputs(**teacher), DATA)
    method.double()
    with torch.no_grad():
        for k, parameter in enumerate(method.parameters()):
            parameter.copy_(0.3 * u(parameter.shape, 100 + k))
    losses = method(outputs(**student), outputs(**teacher), empty_batch(4))

    expected, above = [0.0] * 4, None
    for k, spot in enumerate(reversed(method.spots)):
        s, t = student[spot.student], teacher[spot.teacher]
        s, t = (f[:, :, None, None] if f.ndim == 2 else f for f in (s, t))
        reviewed, above = _fused(k, s, method, above, t.shape[2])
        expected = [a + b for a, b in zip(expected, _context_loss(reviewed, t), strict=True)]
    assert losses.tolist() == pytest.approx(expected, rel=1e-10)


def test_levels_are_paired_deepest_with_deepest_and_the_embeddings_added() -> None:
    method = ReviewKD()
    Distillation(zoo("resnet8", 10), zoo("vgg8", 10), [method], DATA)
    assert method.spots == [Spot("stage1", "preact2"), Spot("stage2", "preact3"), Spot("stage3", "preact4"), TOP]
    assert [fusion.attention is None for fusion in method.fusions] == [True, False, False, False]
    method = ReviewKD(at="preacts")
    Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [method], DATA)
    assert method.spots[0] == Spot("preact1", "preact1")
    method = ReviewKD(at=[("stage2", "stage2")])
    Distillation(zoo("resnet8", 10), zoo("resnet20", 10), [method], DATA)
    assert method.spots == [Spot("stage2", "stage2"), TOP]


def test_a_teacher_without_known_activations_is_refused() -> None:
    student, teacher = Anatomy(stages=("a",), preacts=("a:in",)), Anatomy(stages=("a", "b"))
    with pytest.raises(ValueError, match=r"stages must be read before their last activation, .* name places with at"):
        ReviewKD().choose_spots(student, teacher)


def test_the_width_of_fusions_is_limited() -> None:
    widths = []
    for student in ("resnet8", "MobileNetV2"):
        method = ReviewKD()
        Distillation(zoo(student, 10), zoo("resnet20", 10), [method], DATA)
        first = method.fusions[0].get_submodule("narrow.0")
        assert isinstance(first, nn.Conv2d)
        widths.append(first.out_channels)
    assert widths == [64, 512]


def test_shallow_stages_learn_from_deep_targets() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    distillation = Distillation(student, teacher, [ReviewKD()], TINY_DATA)
    batch = tiny_batch()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["ReviewKD"])
    assert student.conv1.weight.grad is not None
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is not None for parameter in distillation.methods.parameters())


def test_tokens_are_refused() -> None:
    method = ReviewKD()
    method.spots = [Spot("stage1", "preact1"), TOP]
    student = outputs(stage1=torch.zeros(2, 5, 4), embedding=torch.zeros(2, 4))
    teacher = outputs(preact1=torch.zeros(2, 3, 4, 4), embedding=torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"ReviewKD compares maps .* the student's features are \(2, 5, 4\)"):
        method.build(student, teacher, DATA)
