from math import exp, log

import pytest
import torch
from torch import nn

from stillhouse.anatomy import Anatomy
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import VID
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_maps, teacher_maps
from tests.helpers.batches import DATA, TINY_DATA, empty_batch, outputs
from tests.helpers.contract import TRANSFORMERS, ZERO_LOSS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS
NOTES = {ZERO_LOSS}


def _built(method: VID, **shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> VID:
    method.spots = [Spot(place, place) for place in shapes]
    student, teacher = (outputs(**{place: torch.zeros(pair[i]) for place, pair in shapes.items()}) for i in (0, 1))
    method.build(student, teacher, DATA)
    return method.double()


def test_each_sample_is_charged_for_what_the_teacher_is_unlikely_to_say() -> None:
    student, teacher = u((3, 2, 2, 2), 1), u((3, 4, 2, 2), 2)
    method = _built(VID(), map=((3, 2, 2, 2), (3, 4, 2, 2)))
    fill_auxiliary(method)
    log_scale, *weights = (
        parameter.detach().flatten(1) if parameter.ndim > 1 else parameter.detach() for parameter in method.parameters()
    )
    losses = method(outputs(map=student), outputs(map=teacher), empty_batch(3))
    for n in range(3):
        terms = []
        for place in range(4):
            signal = student[n].flatten(1)[:, place].tolist()
            for layer, weight in enumerate(weights):
                signal = [sum(w * x for w, x in zip(row, signal, strict=True)) for row in weight.tolist()]
                signal = [max(x, 0.0) for x in signal] if layer < 2 else signal
            for mean, scale, target in zip(
                signal, log_scale.tolist(), teacher[n].flatten(1)[:, place].tolist(), strict=True
            ):
                variance = log(1 + exp(scale)) + 1e-5
                terms.append(((mean - target) ** 2 / variance + log(variance)) / 2)
        assert losses[n].item() == pytest.approx(sum(terms) / 16, rel=1e-12)


@pytest.mark.recorded
def test_recorded_value_and_gradients() -> None:
    student, teacher = student_maps(), teacher_maps()
    method = VID()
    method.spots = [Spot(f"stage{i}", f"stage{i}") for i in (1, 2, 3)]
    s, t = (outputs(**{f"stage{i}": maps[i] for i in (1, 2, 3)}) for maps in (student, teacher))
    method.build(s, t, DATA)
    method.double()
    fill_auxiliary(method)
    loss = method(s, t, empty_batch()).mean()
    assert loss.item() == pytest.approx(-0.24813031127714652, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.00193954837616222, rel=1e-8)
    assert gradient_norm(loss, method.parameters()) == pytest.approx(0.1717714698577718, rel=1e-8)


@pytest.mark.parametrize("variance", [5.0, 0.3])
def test_the_variance_starts_as_asked(variance: float) -> None:
    method = _built(VID(initial_variance=variance), map=((1, 2, 2, 2), (1, 4, 2, 2)))
    assert method.gaussians[0](u((1, 2, 2, 2), 1))[1].flatten().tolist() == pytest.approx([variance] * 4, rel=1e-6)


def test_the_variance_is_learned_unless_frozen() -> None:
    learned, frozen = (
        _built(VID(learned_variance=learned), map=((1, 2, 2, 2), (1, 4, 2, 2))) for learned in (True, False)
    )
    assert [tuple(p.shape) for p in learned.groups()[0].parameters] == [(4,), (4, 2, 1, 1), (4, 4, 1, 1), (4, 4, 1, 1)]
    assert [tuple(p.shape) for p in frozen.groups()[0].parameters] == [(4, 2, 1, 1), (4, 4, 1, 1), (4, 4, 1, 1)]


def test_the_larger_map_is_averaged_down_before_the_regressor() -> None:
    large, small = u((2, 3, 4, 4), 1), u((2, 5, 2, 2), 2)
    halved = large.reshape(2, 3, 2, 2, 2, 2).mean((3, 5))
    method = _built(VID(), map=((2, 3, 4, 4), (2, 5, 2, 2)))
    loss = method(outputs(map=large), outputs(map=small), empty_batch(2))
    torch.testing.assert_close(loss, method(outputs(map=halved), outputs(map=small), empty_batch(2)))


def test_networks_without_maps_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^VID compares maps .* but the student's features are \(2, 12\)"):
        Distillation(tiny(), tiny(), [VID(at=[("fc:in", "act2")])], TINY_DATA)
    with pytest.raises(ValueError, match="the teacher must have stages, but none were found; name places"):
        VID().choose_spots(Anatomy(stages=("a",)), Anatomy(head="fc"))
    assert isinstance(VID().gaussians, nn.ModuleList)
