import pytest
import torch

from stillhouse.methods import KD, TTM, WTTM
from tests.golden.softmax import kl, softmax
from tests.golden.waves import LABELS, student_waves, teacher_waves
from tests.helpers.contract import ZERO_LOSS

NOTES = {ZERO_LOSS}


@pytest.mark.parametrize("exponent", [0.1, 0.7])
def test_the_student_meets_powers_of_the_teachers_probabilities(exponent: float) -> None:
    losses = TTM(exponent=exponent).loss(student_waves(), teacher_waves(), LABELS)
    for n in range(6):
        powers = [p**exponent for p in softmax(teacher_waves()[n].tolist())]
        expected = kl([p / sum(powers) for p in powers], softmax(student_waves()[n].tolist()))
        assert losses[n].item() == pytest.approx(expected, rel=1e-10)


def test_exponent_1_is_kd_at_temperature_1() -> None:
    inputs = student_waves(), teacher_waves(), LABELS
    expected = KD(temperature=1).loss(*inputs)
    torch.testing.assert_close(TTM(exponent=1).loss(*inputs), expected)
    torch.testing.assert_close(WTTM(exponent=1).loss(*inputs), expected)
