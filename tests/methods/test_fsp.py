import pytest
import torch
from torch import Tensor

from stillhouse.anatomy import Anatomy
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import CE, FSP
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.features import gradient_norm
from tests.helpers.batches import TINY_DATA, empty_batch, outputs, tiny_batch
from tests.helpers.contract import UNEQUAL_WIDTHS
from tests.helpers.networks import tiny

REFUSES = UNEQUAL_WIDTHS


def _built(maps: int) -> FSP:
    method = FSP()
    method.spots = [Spot(f"stage{i}", f"stage{i}") for i in range(1, maps + 1)]
    return method


def _maps(shapes: list[tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    return {f"stage{i}": u(shape, seed + i).clamp(min=0) for i, shape in enumerate(shapes, start=1)}


def _flow(lower: Tensor, upper: Tensor) -> list[float]:
    """(C, H, W), (D, H, W) -> D * C numbers"""
    bottom, top = lower.flatten(1).tolist(), upper.flatten(1).tolist()
    return [sum(a * b for a, b in zip(x, y, strict=True)) / len(x) for y in top for x in bottom]


def test_each_sample_is_charged_for_its_flow() -> None:
    shapes: list[tuple[int, ...]] = [(3, 2, 4, 4), (3, 4, 4, 4), (3, 5, 2, 2)]
    student, teacher = _maps(shapes, 10), _maps(shapes, 20)
    losses = _built(3).flow_loss(outputs(**student), outputs(**teacher), empty_batch(3))
    for n in range(3):
        expected = 0.0
        flows = []
        for maps in (student, teacher):
            first, second, third = (maps[f"stage{i}"][n] for i in (1, 2, 3))
            halved = second.reshape(4, 2, 2, 2, 2).mean((2, 4))
            flows.append((_flow(first, second), _flow(halved, third)))
        for s, t in zip(*flows, strict=True):
            expected += sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / len(s)
        assert losses[n].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradient() -> None:
    shapes: list[tuple[int, ...]] = [(8, 4, 8, 8), (8, 4, 8, 8), (8, 6, 4, 4)]
    student = {name: features.requires_grad_() for name, features in _maps(shapes, 50).items()}
    loss = _built(3).flow_loss(outputs(**student), outputs(**_maps(shapes, 60)), empty_batch()).mean()
    assert loss.item() == pytest.approx(0.001986025809584448, rel=1e-8)
    assert gradient_norm(loss, list(student.values())) == pytest.approx(0.0007371457556125977, rel=1e-8)


def test_maps_of_the_two_networks_may_differ_in_size() -> None:
    small = _maps([(2, 3, 4, 4), (2, 5, 2, 2)], 0)
    large = {name: features.repeat_interleave(2, 2).repeat_interleave(2, 3) for name, features in small.items()}
    assert _built(2).flow_loss(outputs(**small), outputs(**large), empty_batch(2)).max() < 1e-30


def test_trains_what_makes_the_last_stage_and_is_zero_afterwards() -> None:
    student, teacher = tiny(seed=1), Tapped(tiny(seed=2))
    distillation = Distillation(student, teacher, [CE(), FSP(warmup_epochs=3)], TINY_DATA)
    warmup, main = distillation.phases(5)
    assert (warmup.name, warmup.epochs, main.epochs) == ("FSP warm-up", 3, 5)
    names = {id(module): name for name, module in student.named_modules()}
    trained = [names[id(module)] for module in warmup.trains]
    assert trained == ["stem", "conv1", "norm1", "act1", "conv2", "norm2", "act2"]

    batch = tiny_batch()
    with torch.no_grad():
        teacher_outputs = teacher(batch.images)
    (loss,) = warmup.terms(batch, teacher_outputs).values()
    assert loss.item() > 0
    torch.autograd.backward(loss)
    assert student.conv2.weight.grad is not None
    assert student.fc.weight.grad is None
    terms = main.terms(batch, teacher_outputs)
    assert terms["FSP"].item() == 0
    torch.autograd.backward(torch.stack(list(terms.values())).sum())


def test_begins_with_the_stem_where_there_is_one() -> None:
    with_stem, without = Anatomy(stages=("a", "b"), stem="s"), Anatomy(stages=("a", "b"))
    stages = [Spot("stage1", "stage1"), Spot("stage2", "stage2")]
    assert FSP().choose_spots(with_stem, with_stem) == [Spot("stem", "stem"), *stages]
    assert FSP().choose_spots(with_stem, without) == stages


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"^FSP must .* at='map' names one; name more"):
        Distillation(tiny(), tiny(), [FSP(at="map")], TINY_DATA)
    with pytest.raises(ValueError, match="the student's 'stage1' has 4 and the teacher's 'stage1' 6; choose"):
        Distillation(tiny(), tiny(width=6), [FSP()], TINY_DATA)
    with pytest.raises(ValueError, match="FSP compares maps"):
        Distillation(tiny(), tiny(), [FSP(at=[("act1", "act1"), ("fc:in", "fc:in")])], TINY_DATA)
