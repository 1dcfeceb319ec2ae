"""Outputs are taken apart and put together without a loss."""

import torch

from stillhouse.contract.outputs import close, laid_out, parts, squared_norm, with_parts
from stillhouse.methods import MLKD

from .bad import subject


def test_parts_put_together_are_the_same_outputs() -> None:
    trial, batch = subject(MLKD).trial(), subject(MLKD).batch()
    student, _ = trial.outputs(batch)
    assert student.strong is not None
    assert len(parts(student)) == 2 * (1 + len(student.tapped))
    again = with_parts(student, parts(student))
    assert all(one is other for one, other in zip(parts(again), parts(student), strict=True))
    doubled = with_parts(student, (2 * part for part in parts(student)))
    assert doubled.strong is not None
    assert torch.equal(doubled.strong.logits, 2 * student.strong.logits)
    assert doubled.net is student.net


def test_only_maps_have_a_memory_format() -> None:
    maps, vectors = torch.zeros(2, 3, 4, 4), torch.zeros(2, 3)
    assert laid_out(maps, torch.channels_last).stride() == (48, 1, 12, 3)
    assert laid_out(vectors, torch.channels_last) is vectors


def test_the_norm_is_about_all_tensors() -> None:
    assert squared_norm([torch.tensor([3.0]), torch.tensor([[1.0, 2.0]])]) == 14


def test_close_is_relative_to_the_largest_number_and_needs_one_shape() -> None:
    one = torch.tensor([1.0, 1000.0])
    assert close(one, one + 0.4)
    assert not close(one, one + 0.6)
    assert not close(one, one[:1])
