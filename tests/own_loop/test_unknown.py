"""What is not known can be passed on, and not read."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stillhouse.batch import Batch
from stillhouse.own_loop.unknown import Unknown, UnknownIndices, UnknownLabels, unknown


@pytest.mark.parametrize(
    "read",
    [lambda x: x + 1, lambda x: x.shape, lambda x: torch.arange(3)[x], lambda x: x.device, lambda x: x.tolist(), len],
)
@pytest.mark.parametrize("kind", [UnknownIndices, UnknownLabels])
def test_any_use_is_refused(kind: type[Unknown], read: Callable[[Tensor], object]) -> None:
    with pytest.raises(ValueError, match=kind.way_out[:30]):
        read(unknown(kind))


def test_it_can_be_passed_on() -> None:
    indices = unknown(UnknownIndices)
    batch = replace(Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2).long(), indices), epoch=1.0)
    assert batch.indices is indices
