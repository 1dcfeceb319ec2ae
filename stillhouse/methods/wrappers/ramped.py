"""A weight that rises over the first epochs."""

from torch import Tensor

from ...batch import Batch
from ...method import Method
from ...ranges import Count
from ...taps import Outputs
from .wrapper import Wrapper


class Ramped(Wrapper):
    """The warm-up of DKD (Zhao et al., CVPR 2022, arXiv:2203.08679), of ReviewKD and of others, around any method.

    The loss times min(e / epochs, 1) in the e-th epoch, counted from 1 and constant within an epoch, as in mdistiller.

    Args:
        base: The method whose weight rises.
        epochs: Epoch in which the full weight is reached.
    """

    def __init__(self, base: Method, epochs: Count = 20):
        super().__init__(base)
        self.epochs, self.ramps_up = epochs, True

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        loss: Tensor = self.base(student, teacher, batch)
        return loss * self.prepared(batch)["share"].to(loss.dtype)

    def before_step(self, batch: Batch) -> dict[str, Tensor]:
        number = int(batch.epoch) + 1
        return {"share": batch.number(min(number / self.epochs, 1.0))}
