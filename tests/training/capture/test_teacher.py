"""The teacher's outputs stay where they are, and a teacher that asks the host runs without a graph."""

import torch
from torch import Tensor

from stillhouse.taps import Tapped
from stillhouse.training.capture.graph import RepeatedCalls
from stillhouse.training.capture.teacher import CapturedTeacher
from stillhouse.training.classroom import Classroom
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet


class Asking(QuickNet):
    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = super().forward(images) * max(1.0, images.sum().item())
        return logits


def _outputs(net: Tapped) -> tuple[CapturedTeacher, list[str]]:
    said: list[str] = []
    classroom = Classroom(net, [])
    classroom.to(torch.device("cpu"))
    teacher = CapturedTeacher(classroom, "eval", RepeatedCalls(), said.append)
    addresses = set()
    *batches, last = list(quick_data().train.epoch(0, "cpu"))
    for batch in batches:
        teacher.run_ahead(batch)
        outputs = teacher.outputs(batch)
        teacher.run_ahead(last)  # which must not reach what students still read
        assert outputs is not None
        with torch.no_grad():
            assert torch.equal(outputs.logits, net(batch.images).logits)
        addresses.add(outputs.logits.data_ptr())
    assert len(addresses) == 1
    return teacher, said


def test_outputs_are_those_of_the_teacher() -> None:
    teacher, said = _outputs(Tapped(QuickNet()))
    assert teacher.replays > 0
    assert said == []


def test_a_teacher_that_asks_the_host_runs_without_a_graph() -> None:
    teacher, said = _outputs(Tapped(Asking()))
    assert teacher.replays == 0
    assert said == ["the teacher runs without a CUDA graph: it reads a number back (test_teacher.py, line 16)"]
