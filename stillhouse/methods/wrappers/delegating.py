"""A base class for wrappers: every hook but the loss is passed to the methods inside."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor, nn

from ...anatomy import Anatomy
from ...batch import Batch, DataInfo
from ...method import Group, Method, Spot, Warmup
from ...taps import Outputs, Tapped


class Delegating(Method):
    """A method made of other methods.

    Args:
        methods: The methods that `inside` will return.
    """

    def __init__(self, weight: float, methods: Sequence[Method]):
        super().__init__(weight)
        if any(method.teacher_statistics == "batch" for method in methods):
            self.teacher_statistics = "batch"
        self.ramps_up = any(method.ramps_up for method in methods)
        self.observations_caption = _joined(self.observations_caption, *(one.observations_caption for one in methods))
        self.per_image_caption = _joined(self.per_image_caption, *(one.per_image_caption for one in methods))

    @abstractmethod
    def inside(self) -> Sequence[tuple[str, Method]]:
        """Return the methods, each with a prefix for the names of its observations, "" for no prefix."""

    def own_groups(self) -> Sequence[Group]:
        """Return the wrapper's own parameters; the methods inside have groups of their own."""
        theirs = {id(p) for _, method in self.inside() for p in method.parameters()}
        own = [p for p in self.parameters() if p.requires_grad and id(p) not in theirs]
        return [Group(own)] if own else []

    @property
    def needs_teacher(self) -> bool:
        return any(method.needs_teacher for _, method in self.inside())

    @property
    def needs_strong_view(self) -> bool:
        return any(method.needs_strong_view for _, method in self.inside())

    @property
    def needs_teacher_classes(self) -> bool:
        return any(method.needs_teacher_classes for _, method in self.inside())

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        for _, method in self.inside():
            method.spots = method.choose_spots(student, teacher)
        return list(dict.fromkeys(spot for _, method in self.inside() for spot in method.spots))

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for _, method in self.inside():
            method.build(student, teacher, data)

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [warmup for _, method in self.inside() for warmup in method.warmups(student, teacher)]

    def groups(self) -> Sequence[Group]:
        return [*(group for _, method in self.inside() for group in method.groups()), *self.own_groups()]

    def begin_epoch(self, epoch: int) -> None:
        for _, method in self.inside():
            method.begin_epoch(epoch)

    def after_step(self, batch: Batch) -> None:
        for _, method in self.inside():
            method.after_step(batch)

    def observations(self) -> Mapping[str, Tensor]:
        return _prefixed((prefix, method.observations()) for prefix, method in self.inside())

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return _prefixed((prefix, method.per_image(student, teacher, batch)) for prefix, method in self.inside())

    def deploy(self, student: nn.Module) -> nn.Module:
        for _, method in self.inside():
            student = method.deploy(student)
        return student


def _joined(*captions: str) -> str:
    return " ".join(dict.fromkeys(caption for caption in captions if caption))


def _prefixed(observed: Iterable[tuple[str, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for prefix, values in observed for name, value in values.items()}
