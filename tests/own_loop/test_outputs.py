"""Outputs of one process, with two views and with the statistics of a batch. Several: see test_distiller.py."""

import torch
from torch import Tensor

from stillhouse import Batch, Tapped
from stillhouse.own_loop.outputs import gathered_batch, gathered_outputs, outputs_of, with_batch_statistics
from stillhouse.own_loop.unknown import UnknownLabels, unknown
from tests.helpers.networks import QuickNet

IMAGES = torch.randn(6, 3, 16, 16)
INDICES: Tensor = torch.arange(6)


def test_a_strong_view_has_outputs_of_its_own() -> None:
    net = Tapped(QuickNet()).eval()
    assert isinstance(net, Tapped)
    found = outputs_of(net, Batch(IMAGES, INDICES % 4, INDICES, strong=2 * IMAGES))
    assert found.strong is not None
    assert torch.equal(found.strong.logits, net(2 * IMAGES).logits)
    assert torch.equal(found.logits, net(IMAGES).logits)
    assert outputs_of(net, Batch(IMAGES, INDICES % 4, INDICES)).strong is None


def test_statistics_of_a_batch_leave_the_teacher_as_it_is() -> None:
    teacher = Tapped(QuickNet())
    teacher.eval()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    found = with_batch_statistics(teacher)(3 * IMAGES).logits
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    assert not torch.allclose(found, teacher(3 * IMAGES).logits)
    assert torch.allclose(found, teacher.train()(3 * IMAGES).logits)


def test_one_process_gathers_its_own_and_what_is_not_known_stays_so() -> None:
    labels = unknown(UnknownLabels)
    batch = gathered_batch(Batch(IMAGES, labels, INDICES, strong=IMAGES))
    assert torch.equal(batch.images, IMAGES)
    assert batch.labels is labels
    outputs = Tapped(QuickNet())(IMAGES)
    assert torch.equal(gathered_outputs(outputs).logits, outputs.logits)
