"""What wrappers of a single method have in common."""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from ...anatomy import Anatomy
from ...batch import Batch, DataInfo
from ...method import Group, Method, Spot, Warmup
from ...taps import Outputs, Tapped


class Wrapper(Method):
    """A method around another one, for which it answers in everything but the loss.

    Args:
        base: The method inside. Its weight is the wrapper's.
    """

    base: Method

    def __init__(self, base: Method):
        super().__init__(base.weight)
        self.base = base
        self.teacher_statistics = base.teacher_statistics

    @property
    def needs_teacher(self) -> bool:
        return self.base.needs_teacher

    @property
    def needs_strong_view(self) -> bool:
        return self.base.needs_strong_view

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        self.base.spots = self.base.choose_spots(student, teacher)
        return self.base.spots

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        self.base.build(student, teacher, data)

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return self.base.warmups(student, teacher)

    def groups(self) -> Sequence[Group]:
        inside = {id(p) for p in self.base.parameters()}
        own = [p for p in self.parameters() if p.requires_grad and id(p) not in inside]
        return [*self.base.groups(), Group(own)] if own else self.base.groups()

    def after_step(self, batch: Batch) -> None:
        self.base.after_step(batch)

    def observations(self) -> Mapping[str, Tensor]:
        return self.base.observations()

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return self.base.per_image(student, teacher, batch)

    def deploy(self, student: nn.Module) -> nn.Module:
        return self.base.deploy(student)
