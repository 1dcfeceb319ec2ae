"""Each law about training finds what it is there to find."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stillhouse.batch import Batch, DataInfo
from stillhouse.contract import learning
from stillhouse.method import FeatureMethod, Group
from stillhouse.methods import CRD, KD, SimKD
from stillhouse.taps import Outputs

from .bad import reason, sentence, subject


class Hint(FeatureMethod):
    """A linear connector between embeddings: nothing is wrong with it."""

    def __init__(self) -> None:
        super().__init__(1.0, "embedding")

    def connector(self, student: Tensor, teacher: Tensor) -> nn.Module:
        return nn.Linear(student.shape[1], teacher.shape[1])

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().mean(1)


def test_good_methods_keep_all_laws_or_the_laws_say_why_they_do_not_apply() -> None:
    laws = [value for name, value in vars(learning).items() if getattr(value, "__module__", "") == learning.__name__]
    laws = [law for law in laws if not law.__name__.startswith("_")]
    assert len(laws) == 10
    for cls in (Hint, KD, SimKD, CRD):
        reasons = {
            learning.owns_its_parameters: "it has no parameters" if cls is KD else "",
            learning.starts_the_same: "it has no parameters or buffers" if cls is KD else "",
            learning.observes_numbers: "it observes nothing",
        }
        for law in laws:
            if reasons.get(law):
                assert reason(law, cls) == reasons[law]
            else:
                assert law(subject(cls)) == "", (cls, law)


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


def test_gradients_must_reach_the_student_and_not_the_teacher() -> None:
    law = learning.gradients_reach_only_the_student
    assert sentence(law, ThroughTheTeacher).startswith("the teacher's fc.weight gets a gradient; compute")
    assert law(subject(Spare)) == "methods.Spare.spare.bias (and 1 more) gets no gradient"
    assert law(subject(Selfish)) == "the method gets gradients, but the student does not"


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


def test_parameters_must_be_the_methods_own_and_be_trained() -> None:
    assert sentence(learning.gradients_reach_only_the_student, Nothing).startswith("nothing learns from it")
    law = learning.owns_its_parameters
    assert sentence(law, KeepsTeacher).startswith("its net.model.conv1.weight is the teacher's conv1.weight, and would")
    assert sentence(law, TrainsTeacher) == "its groups contain parameters of the teacher"
    assert law(subject(Forgetful)) == "connectors.0.bias (and 1 more) is not trained in any phase"


class Hasty(Hint):
    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Linear(2, 2)


def test_modules_created_before_build_are_wrong() -> None:
    assert sentence(learning.starts_the_same, Hasty).startswith(
        "early.bias (and 1 more) does not; create modules in build"
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


def test_state_outside_of_buffers_is_wrong() -> None:
    assert "keep all state in buffers" in sentence(learning.keeps_its_state, Counting)
    assert "keep all state in buffers" in sentence(learning.can_be_interrupted, Counting)
    assert sentence(learning.can_undo_a_step, Counting).endswith(" differs after it; keep all state in buffers")
    assert sentence(learning.keeps_its_state, Growing).startswith("after some steps it does not load into ")


class _Counted(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, loss: Tensor, passes: Tensor) -> Tensor:
        ctx.passes = passes
        return loss * (1 + passes)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        ctx.passes += 1
        return gradients[0], None


class Tired(Hint):
    """Counts its backward passes in a buffer, and grows with them."""

    passes: Tensor

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        super().build(student, teacher, data)
        self.register_buffer("passes", torch.zeros(()))

    def loss(self, student: Tensor, teacher: Tensor) -> Tensor:
        found: Tensor = _Counted.apply(super().loss(student, teacher), self.passes)
        return found


def test_a_backward_pass_that_changes_more_than_gradients_is_wrong() -> None:
    assert learning.is_measured_without_a_trace(subject(Hint)) == ""
    found = sentence(learning.is_measured_without_a_trace, Tired)
    assert found.endswith(" differs after it; let the backward pass change nothing but gradients")


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


def test_copies_that_share_something_or_behave_differently_are_wrong() -> None:
    found = sentence(learning.can_be_copied, Closure)
    assert found == "the copy's gradients reach the original's methods.Closure.connectors.0.bias (and 1 more)"
    assert "before and" in sentence(learning.can_be_copied, Uncopied)


class Meddling(Hint):
    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        with torch.no_grad():
            next(teacher.net.parameters()).mul_(1.01)
        return super().forward(student, teacher, batch)


def test_changing_the_teacher_is_wrong() -> None:
    assert sentence(learning.can_be_interrupted, Meddling) == "the teacher's weights or buffers have changed"


class Headless(Hint):
    def deploy(self, student: nn.Module) -> nn.Module:
        return nn.Flatten()


class Talkative(Hint):
    def observations(self) -> Mapping[str, Tensor]:
        return {"weights": torch.zeros(2)}


class Vague(Hint):
    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        return {"doubt": student.logits.std()}


def test_the_deployed_network_and_observations_are_checked() -> None:
    found = sentence(learning.deploys_a_classifier, Headless)
    assert found == "the network returns (8, 768) for 8 images and 6 classes"
    assert sentence(learning.observes_numbers, Talkative) == "weights must be finite and a scalar, not [0.0, 0.0]"
    assert "doubt must be finite and (8,), not " in sentence(learning.observes_numbers, Vague)
