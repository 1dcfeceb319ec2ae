from math import sqrt

import pytest
import torch
from torch import Tensor, nn

from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import CE, FT
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_maps, teacher_maps
from tests.helpers.batches import DATA, TINY_DATA, empty_batch, outputs, tiny_batch
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}

LAST = Spot("last_stage", "last_stage")


def _built(method: FT, student: Tensor, teacher: Tensor) -> FT:
    method.spots = [LAST]
    method.build(outputs(last_stage=student), outputs(last_stage=teacher), DATA)
    return method.double()


def _unit(numbers: list[float]) -> list[float]:
    length = sqrt(sum(x**2 for x in numbers))
    return [x / length for x in numbers]


def test_factors_are_compared_in_direction() -> None:
    student, teacher = u((3, 2, 4, 4), 1), u((3, 2, 4, 4), 2)
    losses = FT().loss(student, teacher)
    for n in range(3):
        s, t = _unit(student[n].flatten().tolist()), _unit(teacher[n].flatten().tolist())
        assert losses[n].item() == pytest.approx(sum(abs(a - b) for a, b in zip(s, t, strict=True)) / 32, rel=1e-12)


def test_the_benchmark_compares_their_attention() -> None:
    student, teacher = u((3, 2, 4, 4), 1), u((3, 5, 4, 4), 2)
    losses = FT(compare="attention").loss(student, teacher)
    for n in range(3):
        maps = [
            _unit([sum(f[n, c, i, j].item() ** 2 for c in range(f.shape[1])) for i in range(4) for j in range(4)])
            for f in (student, teacher)
        ]
        expected = sum(abs(a - b) for a, b in zip(*maps, strict=True)) / 16
        assert losses[n].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_reconstruction() -> None:
    student, teacher = student_maps()[3], teacher_maps()[3]
    method = _built(FT(), student, teacher)
    fill_auxiliary(nn.ModuleList([method.encoders, method.decoders]))
    loss = method.reconstruction(outputs(last_stage=student), outputs(last_stage=teacher), empty_batch()).mean()
    assert loss.item() == pytest.approx(0.15503142297748526, rel=1e-8)
    assert gradient_norm(loss, [*method.encoders.parameters(), *method.decoders.parameters()]) == pytest.approx(
        0.17639224487354635, rel=1e-8
    )


@pytest.mark.recorded
def test_recorded_value_and_gradients() -> None:
    student, teacher = student_maps()[3], teacher_maps()[3]
    method = _built(FT(compare="attention"), student, teacher)
    fill_auxiliary(nn.ModuleList([method.encoders, method.decoders]), method.translators)
    loss = method(outputs(last_stage=student), outputs(last_stage=teacher), empty_batch()).mean()
    assert loss.item() == pytest.approx(0.2385475118854044, rel=1e-8)
    assert gradient_norm(loss, [student]) == pytest.approx(0.1382380916094144, rel=1e-8)
    assert gradient_norm(loss, method.translators.parameters()) == pytest.approx(0.8766117143523512, rel=1e-8)
    gradients = torch.autograd.grad(loss, list(method.encoders.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in gradients)


@pytest.mark.parametrize(("rate", "channels"), [(0.5, 6), (0.25, 3), (0.01, 1)])
def test_the_rate_sets_the_number_of_factors(rate: float, channels: int) -> None:
    method = _built(FT(rate=rate), u((2, 4, 4, 4), 1), u((2, 12, 4, 4), 2))
    for module in (method.encoders[0], method.translators[0]):
        assert module(u((2, 12 if module is method.encoders[0] else 4, 4, 4), 3)).shape == (2, channels, 4, 4)
    assert method.decoders[0](u((2, channels, 4, 4), 3)).shape == (2, 12, 4, 4)


def test_the_translator_goes_without_norms_as_well() -> None:
    plain, normed = (
        sum(isinstance(module, nn.BatchNorm2d) for module in method.modules())
        for method in (
            _built(FT(translator_norm=False), u((2, 4, 4, 4), 1), u((2, 4, 4, 4), 2)),
            _built(FT(), u((2, 4, 4, 4), 1), u((2, 4, 4, 4), 2)),
        )
    )
    assert (plain, normed) == (0, 3)


def test_the_larger_factor_is_averaged_down() -> None:
    large, small = u((2, 3, 4, 4), 1), u((2, 3, 2, 2), 2)
    halved = large.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(FT().loss(large, small), FT().loss(halved, small))
    torch.testing.assert_close(FT().loss(small, large), FT().loss(small, halved))


def test_the_paraphraser_is_trained_first_and_by_itself() -> None:
    student, teacher = tiny(), Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    method = FT(warmup_epochs=3)
    distillation = Distillation(student, teacher, [CE(), method], TINY_DATA)
    warmup, after = distillation.phases(5)
    assert (warmup.name, warmup.epochs, warmup.lr) == ("FT warm-up", 3, 0.01)
    first, later = (
        {id(parameter) for group in phase.groups for parameter in group.parameters} for phase in (warmup, after)
    )
    paraphraser = {id(p) for p in [*method.encoders.parameters(), *method.decoders.parameters()]}
    assert first == paraphraser
    assert later == {id(p) for p in [*student.parameters(), *method.translators.parameters()]}

    batch = tiny_batch()
    torch.autograd.backward(warmup.terms(batch, teacher(batch.images))["FT"])
    assert all(parameter.grad is None for parameter in student.parameters())
    distillation.zero_grad()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["FT"])
    assert student.conv2.weight.grad is not None
    assert all(parameter.grad is None for parameter in [*method.encoders.parameters(), *method.decoders.parameters()])


def test_tokens_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"FT compares maps \(N, C, H, W\), but the student's features are \(2, 5, 4\)"
    ):
        _built(FT(), torch.zeros(2, 5, 4), torch.zeros(2, 3, 4, 4))


def test_the_last_stage_is_read_whatever_its_number() -> None:
    method = FT()
    Distillation(zoo("resnet8", 10), zoo("vgg8", 10), [method], DATA)
    assert method.spots == [LAST]
    assert method.translators[0](torch.zeros(2, 64, 8, 8)).shape == (2, 256, 8, 8)
