import pytest
import torch

from stillhouse.methods import DKD, KD
from stillhouse.methods.wrappers import Standardized
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm
from tests.golden.softmax import but, kl, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_target_and_others_are_charged_separately(temperature: float) -> None:
    student, teacher, labels = 3 * u((4, 5), 1), 3 * u((4, 5), 2), [3, 0, 4, 4]
    losses = DKD(alpha=0.7, beta=3.0, temperature=temperature).loss(student, teacher, torch.tensor(labels))
    for n, label in enumerate(labels):
        s, t = (softmax(logits[n].tolist(), temperature) for logits in (student, teacher))
        target = kl([t[label], 1 - t[label]], [s[label], 1 - s[label]])
        others = kl([p / (1 - t[label]) for p in but(t, label)], [p / (1 - s[label]) for p in but(s, label)])
        assert losses[n].item() == pytest.approx(temperature**2 * (0.7 * target + 3 * others), rel=1e-10)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("method", "plain", "standardized"),
    [
        (DKD(alpha=1, beta=0), 0.6469657316, None),
        (DKD(alpha=0, beta=1), 5.2044979106, None),
        (DKD(), 42.2829490164, 6.6884992790),
        (DKD(beta=0.5, temperature=1), 1.4201999211, 0.4167102007),
        (DKD(alpha=9, beta=72, temperature=2), 274.6019625057, 57.1262308977),
    ],
)
def test_recorded_values(method: DKD, plain: float, standardized: float | None) -> None:
    inputs = student_waves(), teacher_waves(), LABELS
    assert method.loss(*inputs).mean().item() == pytest.approx(plain, abs=1e-8)
    if standardized is not None:
        wrapped = Standardized(method, unbiased=True)
        assert wrapped.loss(*inputs).mean().item() == pytest.approx(standardized, abs=1e-8)


@pytest.mark.recorded
def test_recorded_gradients() -> None:
    student = student_waves()
    loss = DKD().loss(student, teacher_waves(), LABELS).mean()
    assert gradient_norm(loss, [student]) == pytest.approx(3.4540315414, abs=1e-8)
    loss = Standardized(DKD(alpha=9, beta=72, temperature=2), unbiased=True).loss(student, teacher_waves(), LABELS)
    assert gradient_norm(loss.mean(), [student]) == pytest.approx(3.7346211087, abs=1e-8)


def test_kd_is_the_sum_with_the_teachers_doubt_as_beta() -> None:
    """Equation 7 of the paper."""
    student, teacher = student_waves(), teacher_waves()
    doubt = 1 - (teacher / 4).softmax(1).gather(1, LABELS[:, None]).squeeze(1)
    target, others = DKD(beta=0).loss(student, teacher, LABELS), DKD(alpha=0, beta=1).loss(student, teacher, LABELS)
    torch.testing.assert_close(target + doubt * others, KD().loss(student, teacher, LABELS))


def test_two_classes_leave_no_others() -> None:
    logits = 3 * u((4, 2), 1), 3 * u((4, 2), 2), torch.tensor([0, 1, 1, 0])
    assert DKD(alpha=0).loss(*logits).abs().max() == 0


def test_a_student_sure_of_the_wrong_class_has_a_gradient() -> None:
    """Where the published code divides by a probability that is 0 in float32."""
    student = torch.tensor([[0.0, 800.0, 0.0]], requires_grad=True)
    torch.autograd.backward(DKD().loss(student, torch.tensor([[5.0, 0.0, 0.0]]), torch.tensor([0])).sum())
    assert student.grad is not None
    assert student.grad.isfinite().all()
    assert student.grad[0, 1] > 0
