import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation, term_names
from stillhouse.method import Group, Method, Warmup
from stillhouse.methods import AT, CE, CRD, KD, MLKD, SP, FitNet
from stillhouse.methods.wrappers import Ramped
from stillhouse.taps import Outputs, Tapped
from stillhouse.training.config import TrainConfig
from stillhouse.training.optimizer import Optimizer
from tests.helpers.batches import TINY_DATA, tiny_batch
from tests.helpers.networks import tiny


class _Spy(Method):
    """Remembers what it was given; a parameter, a frozen one, a warm-up and a layer for the finished network."""

    def __init__(self, weight: float = 3.0):
        super().__init__(weight)
        self.scale = nn.Parameter(torch.ones(()))
        self.frozen = nn.Parameter(torch.ones(()), requires_grad=False)
        self.seen: list[tuple[Outputs, Outputs, bool]] = []

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [Warmup(7, [self], self.warmup_loss, lr=0.25)]

    def warmup_loss(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        return self.scale * (student.logits - teacher.logits).square().mean(1)

    def groups(self) -> Sequence[Group]:
        return [Group([self.scale], lr_scale=0.5)]

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        self.seen.append((student, teacher, torch.is_autocast_enabled("cpu")))
        return self.scale * torch.arange(float(len(batch.labels)))

    def deploy(self, student: nn.Module) -> nn.Module:
        return nn.Sequential(student, nn.Identity())


def _room(*methods: Method, data: DataInfo = TINY_DATA) -> tuple[Distillation, Tapped]:
    teacher = Tapped(tiny(width=6, seed=1)).eval().requires_grad_(False)
    return Distillation(tiny(), teacher, methods, data), teacher


def _terms(distillation: Distillation, teacher: Tapped, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        outputs = teacher(batch.images)
    terms: dict[str, Tensor] = distillation(batch, outputs)
    return terms


def _state(module: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(module.state_dict())


def _equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_terms_are_named_after_their_methods() -> None:
    assert term_names([CE(), KD(), AT(), AT(), CE(), AT()]) == ["CE", "KD", "AT", "AT2", "CE2", "AT3"]
    distillation, teacher = _room(CE(), KD(), AT(), AT(weight=5.0))
    terms = _terms(distillation, teacher, tiny_batch())
    assert list(terms) == ["CE", "KD", "AT", "AT2"]
    torch.testing.assert_close(terms["AT"], 200 * terms["AT2"])


def test_terms_are_weighted_means() -> None:
    spy = _Spy(weight=3.0)
    distillation, teacher = _room(spy, CE(weight=0.5))
    batch = tiny_batch()
    terms = _terms(distillation, teacher, batch)
    assert terms["_Spy"].item() == pytest.approx(3 * sum(range(6)) / 6)
    expected = 0.5 * nn.functional.cross_entropy(distillation.student.model(batch.images), batch.labels)
    torch.testing.assert_close(terms["CE"], expected)


@pytest.mark.parametrize(
    ("loss", "what"), [(None, "a NoneType"), (3.0, "a float"), (torch.ones(6, 4), r"a tensor of shape \(6, 4\)")]
)
def test_a_loss_that_is_none_is_named(loss: object, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Spy, "forward", lambda *_: loss)
    distillation, teacher = _room(_Spy())
    with pytest.raises(ValueError, match=f"^_Spy must return a tensor of shape .*, not {what}$"):
        _terms(distillation, teacher, tiny_batch())


def test_networks_speak_once_for_all_methods() -> None:
    first, second = _Spy(), _Spy()
    distillation, teacher = _room(first, AT(), second)
    _terms(distillation, teacher, tiny_batch())
    (student, outputs, _), (student2, said2, _) = first.seen[0], second.seen[0]
    assert student is student2
    assert outputs is said2
    assert student.net is distillation.student
    assert student["stage1"].shape == (6, 4, 16, 16)
    assert outputs["stage1"].shape == (6, 6, 16, 16)


def test_methods_compute_in_float32_under_autocast() -> None:
    spy = _Spy()
    distillation, teacher = _room(spy, AT(), SP())
    with torch.autocast("cpu", torch.bfloat16):
        terms = _terms(distillation, teacher, tiny_batch())
    student, _, autocast = spy.seen[0]
    assert not autocast
    assert student["stage2"].dtype == torch.float32
    assert torch.equal(student["stage2"], student["stage2"].bfloat16().float())  # the network did run in bfloat16
    assert {term.dtype for term in terms.values()} == {torch.float32}


def test_methods_follow_the_students_number_format() -> None:
    distillation = Distillation(tiny().double(), tiny().double(), [FitNet()], TINY_DATA)
    assert {p.dtype for p in distillation.parameters()} == {torch.float64}


def test_a_refusal_names_the_method() -> None:
    blind = Tapped(tiny(), Anatomy(head="fc"))
    with pytest.raises(ValueError, match=r"^AT: the teacher must have stages, but none were found; name places"):
        Distillation(tiny(), blind, [CE(), AT()], TINY_DATA)
    with pytest.raises(ValueError, match=r"^AT2: AT compares maps .* the student's features are \(2, 12\)"):
        Distillation(tiny(), tiny(), [AT(), AT(at="embedding")], TINY_DATA)


def test_the_data_set_decides_the_image_size() -> None:
    class Picky(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = tiny()

        def forward(self, images: Tensor) -> Tensor:
            assert images.shape[-1] == 16, f"made for 16 px, not {images.shape[-1]}"
            logits: Tensor = self.net(images)
            return logits

    distillation = Distillation(Picky(), Picky(), [SP()], TINY_DATA)
    assert distillation.student.anatomy.stages[-1] == "net.act2"
    with pytest.raises(ValueError, match=r"Picky cannot take images of 32 .*made for 16 px, not 32"):
        Distillation(Picky(), Picky(), [SP()], DataInfo(5, 32, torch.arange(5)))


def test_a_methods_initialisation_does_not_depend_on_the_others() -> None:
    states: list[dict[str, Tensor]] = []
    for others in ([], [CE(), KD()], [AT(), FitNet(at="stage1")]):
        torch.manual_seed(len(states))
        fitnet = FitNet()
        _room(*others, fitnet)
        states.append(_state(fitnet))
    assert _equal(states[0], states[1])
    assert not _equal(states[0], states[2])  # there it is the second of its class


def test_a_methods_initialisation_follows_the_seed() -> None:
    states = [
        _state(_room(FitNet(), data=DataInfo(5, 16, torch.arange(5), seed=seed))[0].methods) for seed in (1, 1, 2)
    ]
    assert _equal(states[0], states[1])
    assert not _equal(states[0], states[2])


def test_building_draws_nothing_from_global_generators() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    _room(FitNet(), AT())
    assert torch.equal(torch.rand(3), expected)


def test_the_teacher_is_not_a_part_and_does_not_change() -> None:
    distillation, teacher = _room(CE(), KD(), FitNet(), SP())
    assert {name.split(".")[0] for name in distillation.state_dict()} == {"student", "methods"}
    before, student = _state(teacher), _state(distillation.student)
    (phase,) = distillation.phases(1)
    optimizer = Optimizer(phase, TrainConfig())
    for step in range(2):
        optimizer.step(_terms(distillation, teacher, tiny_batch(step=step)))
    assert _equal(_state(teacher), before)
    assert not _equal(_state(distillation.student), student)
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_building_leaves_both_networks_as_they_were() -> None:
    student, teacher = tiny().train(), tiny(seed=1).eval()
    before = _state(student), _state(teacher)
    Distillation(student, teacher, [FitNet(), AT()], TINY_DATA)
    assert _equal(_state(student), before[0])
    assert _equal(_state(teacher), before[1])
    assert student.training
    assert not teacher.training


def test_phases_are_warm_ups_and_then_distillation() -> None:
    first, second = _Spy(), _Spy()
    distillation, teacher = _room(CE(), first, FitNet(), second)
    warmup, warmup2, training = distillation.phases(11)
    assert [phase.name for phase in distillation.phases(11)] == ["_Spy warm-up", "_Spy2 warm-up", "distillation"]
    assert [phase.epochs for phase in (warmup, warmup2, training)] == [7, 7, 11]
    assert [phase.lr for phase in (warmup, warmup2, training)] == [0.25, 0.25, None]
    assert warmup.trains == [first]
    assert list(warmup.groups[0].parameters) == [first.scale]
    batch = tiny_batch()
    outputs = teacher(batch.images)
    difference = (distillation.student(batch.images).logits - outputs.logits).square().mean()
    (term,) = warmup2.terms(batch, outputs).items()
    assert term[0] == "_Spy2"
    torch.testing.assert_close(term[1], difference)  # a warm-up is a loss by itself, weights are for mixing


def test_distillation_trains_student_and_methods() -> None:
    spy, fitnet = _Spy(), FitNet()
    distillation, _ = _room(CE(), spy, fitnet)
    distillation.student.model.get_submodule("conv1").requires_grad_(False)
    phase = distillation.phases(1)[-1]
    student, of_spy, of_fitnet = phase.groups
    assert phase.trains == [distillation]
    names = {parameter: name for name, parameter in distillation.named_parameters()}
    assert not any("conv1" in names[parameter] for parameter in student.parameters)
    assert len(student.parameters) == len(list(distillation.student.parameters())) - 2
    assert of_spy == Group([spy.scale], lr_scale=0.5)
    assert of_fitnet == Group(list(fitnet.parameters()))


def test_a_view_that_no_method_needs_is_not_shown_to_the_student() -> None:
    """Its BatchNorms would learn from images that no loss is about."""
    states = []
    for strong in (None, 5 + tiny_batch(step=1).images):
        distillation, teacher = _room(CE(), _Spy())
        batch = replace(tiny_batch(), strong=strong)
        for phase in distillation.phases(1):
            phase.terms(batch, teacher(batch.images))
        states.append(_state(distillation.student))
    assert any("running_mean" in name for name in states[0])
    assert _equal(*states)


def test_a_method_of_two_views_needs_data_of_two_views() -> None:
    with pytest.raises(ValueError, match=r"^MLKD: it compares two views .* load the data with strong_view=True"):
        _room(MLKD())
    two_views, teacher = _room(MLKD(), CE(), data=replace(TINY_DATA, strong_view=True))
    assert two_views.needs_strong_view
    batch = replace(tiny_batch(), strong=tiny_batch(step=1).images)
    before = _state(two_views.student)
    alone = Distillation(tiny(), teacher, [CE()], TINY_DATA)
    two_views(batch, teacher.forward_batch(batch))
    alone(batch, teacher.forward_batch(batch))
    assert not _equal(_state(two_views.student), _state(alone.student))
    assert not _equal(_state(two_views.student), before)


def test_a_student_may_learn_by_itself() -> None:
    distillation = Distillation(tiny(), None, [CE()], TINY_DATA)
    batch = tiny_batch()
    terms = distillation(batch, None)
    torch.testing.assert_close(
        terms["CE"], nn.functional.cross_entropy(distillation.student.model(batch.images), batch.labels)
    )
    assert distillation.teacher_mode == "none"


def test_one_method_is_enough_to_ask_for_batch_statistics() -> None:
    distillation, _ = _room(CE(), KD())
    assert distillation.teacher_mode == "eval"
    spy = _Spy()
    spy.teacher_statistics = "batch"
    distillation, _ = _room(CE(), spy)
    assert distillation.teacher_mode == "batch_stats"


def test_deployment_passes_through_every_method() -> None:
    distillation, _ = _room(_Spy(), CE(), _Spy())
    shipped = distillation.deploy()
    assert isinstance(shipped, nn.Sequential)
    assert isinstance(shipped[0], nn.Sequential)
    assert shipped[0][0] is distillation.student.model
    plain, _ = _room(CE(), KD())
    assert plain.deploy() is plain.student.model


def test_what_methods_need_at_a_step_is_prepared_before_it_and_then_read() -> None:
    teacher, methods = Tapped(tiny(width=6, seed=1)), [CE(), Ramped(CRD(num_negatives=7), epochs=4)]
    distillation = Distillation(tiny(), teacher, methods, TINY_DATA).eval()
    batch = replace(tiny_batch(step=3), epoch=1.5)
    outputs = teacher.eval()(batch.images)
    itself = distillation(batch, outputs)
    prepared = distillation.before_step(batch)
    later = replace(prepared, epoch=99.0, step=99, seed=99)  # it does not look at these again
    assert distillation(later, outputs) == itself
    ramped = distillation.methods["Ramped"]
    crd = ramped.get_submodule("base")
    assert {name: tensor.shape for name, tensor in prepared.prepared[crd].items()} == {"candidates": (6, 8)}
    assert prepared.prepared[ramped]["share"] == 0.5
    full = {**prepared.prepared, ramped: {"share": torch.ones(())}}
    torch.testing.assert_close(distillation(replace(prepared, prepared=full), outputs)["Ramped"], 2 * itself["Ramped"])
    assert not batch.rows(torch.arange(3)).prepared  # which are about other samples
