"""Each law about training finds what it is there to find."""

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from stillhouse.batch import Batch, DataInfo
from stillhouse.contract import learning
from stillhouse.method import FeatureMethod, Group
from stillhouse.methods import CRD, KD, SimKD
from stillhouse.taps import Outputs

from .bad import sentence, subject


class Hint(FeatureMethod):
    """A linear connector between embeddings: nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(1.0, "embedding")

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return nn.Linear(student.shape[1], teacher.shape[1])

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().mean(1)


def test_nothing_is_wrong_with_good_methods() -> None:
    laws = [value for name, value in vars(learning).items() if getattr(value, "__module__", "") == learning.__name__]
    laws = [law for law in laws if not law.__name__.startswith("_")]
    assert len(laws) == 9
    for cls in (Hint, KD, SimKD, CRD):
        assert [law(subject(cls)) for law in laws] == [""] * len(laws), cls


class ThroughTheTeacher(Hint):
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        logits: Tensor = teacher.net.head(teacher["embedding"])
        return (student.logits - logits).square().sum(1)


class Constant(Hint):
    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return student.detach().square().mean(1)


class Spare(Hint):
    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.spare = nn.Linear(2, 2)


class Selfish(Hint):
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.loss(self.connectors[0](student["embedding"].detach()), teacher["embedding"])


def test_who_learns() -> None:
    law = learning.teaches_the_student_only
    assert sentence(law, ThroughTheTeacher).startswith("the teacher's fc.weight gets a gradient; compute")
    assert law(subject(Spare)) == "methods.Spare.spare.bias (and 1 more) gets none"
    assert law(subject(Selfish)) == "the method learns, but not the student"


class Nothing(Hint):
    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return nn.Identity()

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return 0 * student.mean(1)


class KeepsTeacher(Hint):
    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.net = teacher.net


class TrainsTeacher(Hint):
    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.nets = (teacher.net,)

    def groups(self) -> Sequence[Group]:
        return [*super().groups(), Group(list(self.nets[0].parameters()))]


class Forgetful(Hint):
    def groups(self) -> Sequence[Group]:
        return []


def test_whose_parameters_they_are() -> None:
    assert sentence(learning.teaches_the_student_only, Nothing).startswith("nobody learns from it")
    law = learning.owns_its_parameters
    assert sentence(law, KeepsTeacher).startswith(
        "its net.model.conv1.weight is the teacher's conv1.weight, which would"
    )
    assert sentence(law, TrainsTeacher) == "its groups hold parameters of the teacher"
    assert law(subject(Forgetful)) == "connectors.0.bias (and 1 more) is trained in no phase"


class Hasty(Hint):
    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Linear(2, 2)


def test_modules_that_are_made_too_early() -> None:
    assert sentence(learning.begins_the_same, Hasty).startswith(
        "early.bias (and 1 more) does not; make modules in build"
    )


class Counting(Hint):
    """Lets its loss fade, and keeps the number of steps to itself."""

    steps = 0

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return super().loss(student, teacher) / (1 + self.steps)

    def after_step(self, batch: Batch) -> None:
        self.steps += 1


class Growing(Hint):
    def after_step(self, batch: Batch) -> None:
        self.register_buffer(f"step{batch.step}", torch.zeros(1))


def test_state_outside_of_buffers_is_lost() -> None:
    assert "keep what a method remembers in buffers" in sentence(learning.keeps_its_state, Counting)
    assert "keep what a method remembers in buffers" in sentence(learning.can_be_interrupted, Counting)
    assert sentence(learning.takes_a_step_back, Counting).startswith("the step leaves its mark on ")
    assert sentence(learning.keeps_its_state, Growing).startswith("after some steps it does not fit into a new one: ")


class Closure(Hint):
    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.connect: Callable[[Tensor], Tensor] = lambda features: self.connectors[0](features)

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.loss(self.connect(student["embedding"]), teacher["embedding"])


class Uncopied(Hint):
    def __deepcopy__(self, memo: dict[int, object]) -> "Uncopied":
        twin = Uncopied()
        twin.spots = self.spots
        twin.connectors = copy.deepcopy(self.connectors, memo)
        for parameter in twin.connectors.parameters():
            nn.init.zeros_(parameter)
        return twin


def test_copies_that_are_none() -> None:
    found = sentence(learning.can_be_copied, Closure)
    assert found == "the copy's gradients reach the original's methods.Closure.connectors.0.bias (and 1 more)"
    assert "before and" in sentence(learning.can_be_copied, Uncopied)


class Meddling(Hint):
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        with torch.no_grad():
            next(teacher.net.parameters()).mul_(1.01)
        return super().forward(student, teacher, batch)


def test_a_teacher_that_is_changed() -> None:
    assert sentence(learning.can_be_interrupted, Meddling) == "the teacher's weights or buffers are not what they were"


class Headless(Hint):
    def deploy(self, student: nn.Module) -> nn.Module:
        return nn.Flatten()


class Talkative(Hint):
    def observations(self) -> Mapping[str, Tensor]:
        return {"weights": torch.zeros(2)}


class Vague(Hint):
    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return {"doubt": student.logits.std()}


def test_what_comes_out_of_it() -> None:
    found = sentence(learning.ships_a_classifier, Headless)
    assert found == "what deploy returns makes (8, 768) of 8 images and 6 classes"
    assert sentence(learning.observes_numbers, Talkative).startswith("weights is [0.0, 0.0], not a scalar")
    assert "not (8,) and finite" in sentence(learning.observes_numbers, Vague)
