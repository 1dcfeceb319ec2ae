import pytest
import torch

from stillhouse.methods import TTM, WTTM
from tests.golden.softmax import kl, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


@pytest.mark.parametrize("exponent", [0.2, 0.7])
def test_samples_weigh_as_much_as_their_power_sum(exponent: float) -> None:
    losses = WTTM(exponent=exponent).loss(student_waves(), teacher_waves(), LABELS)
    for n in range(6):
        powers = [p**exponent for p in softmax(teacher_waves()[n].tolist())]
        expected = sum(powers) * kl([p / sum(powers) for p in powers], softmax(student_waves()[n].tolist()))
        assert losses[n].item() == pytest.approx(expected, rel=1e-10)


def test_a_certain_teacher_weighs_1_and_a_clueless_one_most() -> None:
    student = torch.zeros(2, 4, dtype=torch.float64)
    student[:, 0] = 1.0
    teacher = torch.tensor([[900.0, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.float64)
    labels = torch.zeros(2, dtype=torch.long)
    weights = WTTM(exponent=0.5).loss(student, teacher, labels) / TTM(exponent=0.5).loss(student, teacher, labels)
    torch.testing.assert_close(weights, torch.tensor([1.0, 4**0.5], dtype=torch.float64))
