import weakref
from collections.abc import Sequence
from math import exp, sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.methods import SemCKD
from stillhouse.models import zoo
from stillhouse.taps import Outputs, Tapped, probe
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_maps, teacher_maps
from tests.helpers.contract import ORDER, TRANSFORMERS, ZERO_LOSS

REFUSES = TRANSFORMERS
NOTES = {ORDER, ZERO_LOSS}

_NET = Tapped(nn.Identity(), Anatomy())


def _outputs(stages: Sequence[Tensor]) -> Outputs:
    return Outputs(torch.zeros(len(stages[0]), 10), {f"stage{i + 1}": stage for i, stage in enumerate(stages)}, _NET)


def _batch(size: int = 8) -> Batch:
    rows = torch.arange(size)
    return Batch(torch.zeros(size, 3, 32, 32), rows, rows)


def _built(method: SemCKD, student: Outputs, teacher: Outputs, batch_size: int = 8) -> SemCKD:
    stages = [Anatomy(stages=tuple("abcdefg"[: len(outputs.tapped)])) for outputs in (student, teacher)]
    method.spots = method.choose_spots(*stages)
    method.build(student, teacher, DataInfo(10, 32, torch.arange(10), batch_size))
    method.double()
    for parameter in method.parameters():
        parameter.data += 0.1  # no weight of BatchNorm is 1, no bias 0
    return method


def _unit(similarities: list[float], network: nn.Module) -> list[float]:
    """What a two-layer network makes of a row of similarities, to unit length."""
    (first, first_bias), (second, second_bias) = (
        (layer.weight.tolist(), layer.bias.tolist()) for layer in network.children() if isinstance(layer, nn.Linear)
    )
    hidden = [
        max(0.0, sum(w * x for w, x in zip(row, similarities, strict=True)) + b)
        for row, b in zip(first, first_bias, strict=True)
    ]
    out = [sum(w * x for w, x in zip(row, hidden, strict=True)) + b for row, b in zip(second, second_bias, strict=True)]
    length = sqrt(sum(x**2 for x in out))
    return [x / length for x in out]


def _attention(
    method: SemCKD, student: list[Tensor], teacher: list[Tensor], batch_size: int
) -> list[list[list[float]]]:
    """By sample, student stage and teacher stage."""

    def embed(stage: Tensor, n: int, network: nn.Module) -> list[float]:
        similarities = [(stage[n] * other).sum().item() for other in stage]
        return _unit(similarities + [0.0] * (batch_size - len(stage)), network)

    attention = []
    for n in range(len(student[0])):
        queries = [embed(stage, n, network) for stage, network in zip(student, method.queries, strict=True)]
        keys = [embed(stage, n, network) for stage, network in zip(teacher, method.keys, strict=True)]
        scores = [[exp(sum(q * k for q, k in zip(query, key, strict=True))) for key in keys] for query in queries]
        attention.append([[score / sum(row) for score in row] for row in scores])
    return attention


@pytest.mark.parametrize("size", [8, 5], ids=["full batch", "last batch"])
def test_every_student_stage_learns_from_every_teacher_stage(size: int) -> None:
    student = [u(shape, seed) for seed, shape in enumerate([(size, 2, 8, 8), (size, 3, 3, 3)])]
    teacher = [u(shape, seed + 9) for seed, shape in enumerate([(size, 4, 6, 6), (size, 2, 6, 6), (size, 5, 2, 2)])]
    method = _built(SemCKD(), _outputs(student), _outputs(teacher))
    losses = method(_outputs(student), _outputs(teacher), _batch(size))
    attention = _attention(method, student, teacher, batch_size=8)
    assert losses.shape == (size,)
    for n in range(size):
        expected = 0.0
        for i, s in enumerate(student):
            for j, t in enumerate(teacher):
                side = min(s.shape[-1], t.shape[-1])
                predicted = method.regressors[3 * i + j](F.adaptive_avg_pool2d(s, side))
                error = (predicted - F.adaptive_avg_pool2d(t, side))[n].square().mean().item()
                expected += attention[n][i][j] * error / 2
        assert losses[n].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.recorded
def test_recorded_value_gradients_and_attention() -> None:
    student, teacher = student_maps(), teacher_maps()
    method = _built(SemCKD(), _outputs(student[1:]), _outputs(teacher[1:]))
    fill_auxiliary(method)
    loss = method(_outputs(student[1:]), _outputs(teacher[1:]), _batch()).mean()
    assert loss.item() == pytest.approx(0.13886696433923532, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.0033193450097235705, rel=1e-8)
    assert gradient_norm(loss, method.parameters()) == pytest.approx(0.07846459984112475, rel=1e-8)
    recorded = torch.tensor(
        [
            [0.41088818542417455, 0.20676768326734937, 0.38234413130847617],
            [0.2959844140567795, 0.3930772092004372, 0.3109383767427833],
            [0.39805952389899607, 0.22189658281418628, 0.3800438932868177],
        ],
        dtype=torch.float64,
    )
    torch.testing.assert_close(method.attention(_outputs(student[1:]), _outputs(teacher[1:]))[0], recorded)


@pytest.mark.recorded
def test_recorded_value_and_gradients_with_a_temperature() -> None:
    student, teacher = student_maps(), teacher_maps()
    method = _built(SemCKD(temperature=2.0), _outputs(student[1:]), _outputs(teacher[1:]))
    fill_auxiliary(nn.ModuleList([method.queries, method.keys, method.regressors]))  # in that code base's order
    loss = method(_outputs(student[1:]), _outputs(teacher[1:]), _batch()).mean()
    assert loss.item() == pytest.approx(0.1369814508811534, rel=1e-8)
    assert gradient_norm(loss, student) == pytest.approx(0.0021073362176606196, rel=1e-8)
    assert gradient_norm(loss, method.parameters()) == pytest.approx(0.08028395757919794, rel=1e-8)


def test_unequal_numbers_of_stages_leave_none_out() -> None:
    method, net = SemCKD(), Tapped(zoo("vgg8", 10))
    Distillation(zoo("resnet8", 10), net, [method], DataInfo(10, 32, torch.arange(10), batch_size=8))
    teacher = probe(net, 32)
    assert method.spots == [(f"stage{i}", f"stage{j}") for i in (1, 2, 3) for j in (1, 2, 3, 4)]
    assert [len(modules) for modules in (method.queries, method.keys, method.regressors)] == [3, 4, 12]
    predicted = [teacher[t].shape[1] for _, t in method.spots]
    last = [list(regressor.children())[-1] for regressor in method.regressors]
    assert [layer.out_channels for layer in last if isinstance(layer, nn.Conv2d)] == predicted
    assert "attention_s3/t4" in method.observations()


def test_places_that_are_given_all_meet() -> None:
    four = Anatomy(stages=tuple("abcd"), preacts=("a:in", "b:in"))
    listed = SemCKD(at=[("stage2", "stage1"), ("stage2", "stage3"), ("layer4", "stage3")])
    assert listed.choose_spots(four, four) == [
        ("stage2", "stage1"),
        ("stage2", "stage3"),
        ("layer4", "stage1"),
        ("layer4", "stage3"),
    ]
    assert len(SemCKD(at="preacts").choose_spots(four, four)) == 4
    assert SemCKD(at="map").choose_spots(four, four) == [("map", "map")]


def test_has_as_many_parameters_as_the_code() -> None:
    method = SemCKD()
    Distillation(zoo("resnet8x4", 100), zoo("resnet32x4", 100), [method], DataInfo(100, 32, torch.arange(100)))
    assert sum(p.numel() for p in method.parameters()) == pytest.approx(10.23e6, rel=5e-4)


def test_batches_of_other_sizes() -> None:
    stages = _outputs([u((8, 2, 4, 4), 1)])
    method = _built(SemCKD(), stages, stages, batch_size=6)
    with pytest.raises(ValueError, match="a batch must have at most the 6 images that SemCKD was built for, not 8"):
        method(stages, stages, _batch())
    with pytest.raises(ValueError, match=r"--batch_size must be 4 or more for SemCKD, .* not 3"):
        _built(SemCKD(), stages, stages, batch_size=3)
    assert _built(SemCKD(), stages, stages, batch_size=9)(stages, stages, _batch()).shape == (8,)  # 9 / 4 rounds down


def test_observes_the_mean_attention_of_each_pair() -> None:
    student = _outputs([u((8, 2, 4, 4), 1), u((8, 2, 2, 2), 2)])
    batches = [_outputs([u((8, 3, 4, 4), seed), u((8, 4, 2, 2), seed + 1)]) for seed in (3, 5, 7)]
    method = _built(SemCKD(), student, batches[0])
    for teacher, step in zip(batches, (1, 0, 1), strict=True):
        if step == 0:
            method.begin_epoch(1)
        method(student, teacher, _batch())
    expected = torch.stack([method.attention(student, teacher) for teacher in batches[1:]]).mean((0, 1))
    observed = method.observations()
    assert list(observed) == ["attention_s1/t1", "attention_s1/t2", "attention_s2/t1", "attention_s2/t2"]
    torch.testing.assert_close(torch.stack(list(observed.values())), expected.flatten())
    assert not any(value.requires_grad for value in observed.values())


def test_holds_one_projection_at_a_time() -> None:
    stages = _outputs([u((8, 2, 4, 4), seed) for seed in range(4)])
    method = _built(SemCKD(), stages, stages)
    projections: list[weakref.ref[Tensor]] = []
    most = 0

    def count(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        nonlocal most
        projections.append(weakref.ref(output))
        most = max(most, sum(projection() is not None for projection in projections))

    for regressor in method.regressors:
        regressor.register_forward_hook(count)
    method(stages, stages, _batch()).sum().backward()
    assert len(projections) == 16
    assert most <= 2


def test_tokens_are_refused() -> None:
    stages = _outputs([u((8, 2, 4, 4), 1)])
    with pytest.raises(ValueError, match=r"SemCKD compares maps .* the teacher's features are \(8, 16, 2\)"):
        _built(SemCKD(), stages, _outputs([u((8, 16, 2), 1)]))
