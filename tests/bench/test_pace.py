"""The estimate of a bench's time."""

from pathlib import Path

import pytest
import torch

from stillhouse.bench.pace import Pace, measured
from stillhouse.methods import CE, KD
from tests.helpers.data import quick_data
from tests.helpers.training import assert_same, teacher_net, trainer, weights


def test_the_teacher_counts_once_and_each_student_for_its_epochs() -> None:
    pace = Pace(teacher=10.0, students={"CE": 1.0, "KD": 3.0})
    assert pace.seconds({"CE": 2, "KD": 4}) == 2 * 1 + 4 * 3 + 4 * 10
    assert pace.seconds({"not measured": 2}) == 2 * 2 + 2 * 10
    assert pace.seconds({}) == 0


def test_measuring_leaves_no_mark_and_passes_over_who_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(CE):
        def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            raise ValueError("made up")

    teacher = teacher_net()
    kd = trainer([CE(), KD()], teacher, tmp_path, "kd", dropout=0.5)
    before, random = weights(kd), torch.get_rng_state()
    pace = measured(
        teacher, {kd: "KD", trainer([Wrong()], None, tmp_path, "w"): "Wrong"}, quick_data(), torch.device("cpu")
    )
    assert pace.teacher > 0
    assert list(pace.students) == ["KD"]
    assert_same(before, weights(kd))
    assert torch.equal(random, torch.get_rng_state())
    assert list(tmp_path.iterdir()) == []
