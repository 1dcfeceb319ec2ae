import pytest
import torch

from stillhouse.methods.layers.logits import binary, divergence, without, z_score
from tests.golden.closed_form import u
from tests.golden.softmax import but, kl, softmax
from tests.golden.waves import student_waves

LABELS = torch.tensor([2, 0, 3])


def test_divergence_is_kullback_and_leiblers() -> None:
    student, teacher = 3 * u((3, 4), 1), 3 * u((3, 4), 2)
    for n, value in enumerate(divergence(student, teacher)):
        assert value.item() == pytest.approx(kl(softmax(teacher[n].tolist()), softmax(student[n].tolist())), rel=1e-12)


def test_without_leaves_the_others_in_order() -> None:
    logits = torch.arange(12.0).view(3, 4)
    expected = [but(row, label) for row, label in zip(logits.tolist(), LABELS.tolist(), strict=True)]
    assert without(logits, LABELS).tolist() == expected


def test_binary_holds_the_probability_of_the_label() -> None:
    logits = 3 * u((3, 4), 1)
    for n, (yes, no) in enumerate(binary(logits, LABELS).softmax(1).tolist()):
        p = softmax(logits[n].tolist())[LABELS[n]]
        assert (yes, no) == pytest.approx((p, 1 - p), rel=1e-12)


def test_binary_keeps_what_a_sure_network_thinks_of_the_others() -> None:
    sure = torch.tensor([[0.0, 500.0, -500.0]])  # 1 - p would be 0 in float32
    assert binary(sure, torch.tensor([1])).diff().item() == pytest.approx(-500.0)


@pytest.mark.parametrize("unbiased", [False, True])
def test_z_scores_have_mean_0_and_deviation_1(unbiased: bool) -> None:
    for row in z_score(5 + 3 * u((3, 7), 1), unbiased, eps=0.0).tolist():
        assert sum(row) == pytest.approx(0, abs=1e-12)
        assert sum(z * z for z in row) == pytest.approx(6 if unbiased else 7, rel=1e-12)


def test_recorded_z_scores() -> None:
    expected = [0.15218984, 1.36144065, 0.59943298, -1.01749014, -1.12053256, 0.44126311, 1.37986256, 0.32021539]
    assert z_score(student_waves(), unbiased=True)[0, :8].tolist() == pytest.approx(expected, abs=1e-8)


def test_equal_logits_stay_equal_and_have_a_gradient() -> None:
    logits = torch.full((1, 4), 2.0, requires_grad=True)
    z = z_score(logits)
    torch.autograd.backward(z[0, 0])
    assert z.tolist() == [[0.0] * 4]
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
