import pytest
import torch

from stillhouse.distillation import Distillation
from stillhouse.method import LogitMethod
from stillhouse.methods import CE, KD, NKD, RLD
from stillhouse.methods.dkd import DKD
from stillhouse.methods.wrappers import Ramped, ScaleDecoupled, Standardized
from stillhouse.taps import Tapped
from tests.golden.features import gradient_norm
from tests.golden.softmax import kl, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_base_sees_z_scores(unbiased: bool) -> None:
    losses = Standardized(KD(temperature=2), unbiased, eps=0.0).loss(student_waves(), teacher_waves(), LABELS)
    for n in range(6):
        distributions = []
        for row in (teacher_waves()[n].tolist(), student_waves()[n].tolist()):
            mean = sum(row) / 10
            deviation = (sum((x - mean) ** 2 for x in row) / (9 if unbiased else 10)) ** 0.5
            distributions.append(softmax([(x - mean) / deviation for x in row], 2))
        assert losses[n].item() == pytest.approx(4 * kl(*distributions), rel=1e-10)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (Standardized(KD(temperature=2), unbiased=True), 0.7906503946),
        (Standardized(KD(temperature=4), unbiased=True), 0.8307973841),
        (Standardized(KD(temperature=2), eps=0.0), 0.8726466884),
    ],
)
def test_recorded_values(method: Standardized, expected: float) -> None:
    assert method.loss(student_waves(), teacher_waves(), LABELS).mean().item() == pytest.approx(expected, abs=1e-8)


@pytest.mark.recorded
def test_recorded_gradient_flows_through_mean_and_deviation() -> None:
    student = student_waves()
    loss = Standardized(KD(temperature=2), unbiased=True).loss(student, teacher_waves(), LABELS).mean()
    (gradient,) = torch.autograd.grad(loss, student, retain_graph=True)
    assert gradient[0, 0].item() == pytest.approx(-0.0131093011, abs=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.0467949978, abs=1e-8)
    centred = student - student.mean(1, keepdim=True)
    assert gradient.sum(1).abs().max() < 1e-8
    assert (gradient * centred).sum(1).abs().max() < 1e-6  # the scale is left alone


@pytest.mark.parametrize("base", [KD(), DKD(), NKD(), RLD()])
def test_scale_and_shift_of_either_network_do_not_matter(base: LogitMethod) -> None:
    method = Standardized(base, eps=0.0)
    student, teacher = student_waves(), teacher_waves()
    expected = method.loss(student, teacher, LABELS)
    torch.testing.assert_close(method.loss(3 * student + 1, 0.5 * teacher - 2, LABELS), expected)


def test_networks_that_differ_in_scale_only_agree() -> None:
    teacher = teacher_waves()
    assert Standardized(KD()).loss(2 * teacher, teacher, LABELS).abs().max() < 1e-12


def test_it_nests_with_regions_and_ramps() -> None:
    teacher = Tapped(tiny(width=6, seed=1)).eval()
    base = DKD(weight=9.0, temperature=2.0)
    published = Ramped(ScaleDecoupled.reference(Standardized(base), (1, 2)))
    distillation = Distillation(tiny(), teacher, [CE(), published], TINY_DATA)
    teacher.eval()
    batch = tiny_batch()
    terms = distillation(batch, teacher(batch.images))
    assert published.weight == 9.0
    assert terms["Ramped"].isfinite()
    assert terms["Ramped"] > 0
