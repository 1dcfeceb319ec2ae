"""The second view: any method, on strongly augmented images."""

from dataclasses import replace

from torch import Tensor

from ...batch import Batch
from ...method import Method
from ...taps import Outputs
from ..layers.strong_view import strong_outputs
from .wrapper import Wrapper


class StrongView(Wrapper):
    """Any method, on the two networks' outputs for the strong view, e.g. `CE(), StrongView(CE()), MLKD()`.

    Args:
        base: The method.
    """

    def __init__(self, base: Method):
        super().__init__(base)

    @property
    def needs_strong_view(self) -> bool:
        return True

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s, t = strong_outputs(student, teacher)
        assert batch.strong is not None
        loss: Tensor = self.base(s, t, replace(batch, images=batch.strong, views=None, strong=None))
        return loss
