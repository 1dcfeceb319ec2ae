"""The second view: any method, on images that are augmented strongly."""

from dataclasses import replace

from torch import Tensor

from ..layers.views import needs_strong_view, strong_outputs
from ..method import Method
from ..outputs import Batch, DataInfo, Outputs
from .wrapper import Wrapper


class StrongView(Wrapper):
    """Any method, about what the two networks say of the strong view, e.g. `CE(), StrongView(CE()), MLKD()`.

    Args:
        base: The method.

    Raises:
        ValueError: When built for data that gives one view only.
    """

    def __init__(self, base: Method):
        super().__init__(base)

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        needs_strong_view(data)
        super().build(student, teacher, data)

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        s, t = strong_outputs(student, teacher)
        assert batch.strong is not None
        loss: Tensor = self.base(s, t, replace(batch, images=batch.strong, views=None, strong=None))
        return loss
