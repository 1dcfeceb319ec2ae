import pytest
import torch

from stillhouse.methods.layers.strong_view import strong_outputs
from stillhouse.taps import Outputs, Tapped
from tests.helpers.networks import tiny


def _said(strong: bool) -> Outputs:
    net = Tapped(tiny())
    second = Outputs(torch.ones(2, 5), {}, net) if strong else None
    return Outputs(torch.zeros(2, 5), {}, net, strong=second)


def test_both_networks_are_read() -> None:
    student, teacher = _said(True), _said(True)
    assert strong_outputs(student, teacher) == (student.strong, teacher.strong)


@pytest.mark.parametrize(("student", "teacher", "who"), [(False, True, "student"), (True, False, "teacher")])
def test_a_network_that_saw_only_one_view_is_named(student: bool, teacher: bool, who: str) -> None:
    with pytest.raises(
        ValueError, match=rf"the {who} must be run on the strong view as well; .*forward_batch\(batch\)"
    ):
        strong_outputs(_said(student), _said(teacher))
