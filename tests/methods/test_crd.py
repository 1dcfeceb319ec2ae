from dataclasses import replace
from math import exp, log

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import Spot
from stillhouse.methods import CRD
from stillhouse.models import zoo
from stillhouse.taps import Tapped
from tests.golden.closed_form import u
from tests.golden.features import fill_auxiliary, gradient_norm, student_vector, teacher_vector
from tests.golden.patterns import pattern
from tests.helpers.batches import TINY_DATA, outputs, tiny_batch
from tests.helpers.contract import ORDER, ZERO_LOSS
from tests.helpers.networks import tiny

NOTES = {ORDER, ZERO_LOSS}

SPOT = Spot("embedding", "embedding")


def _built(method: CRD, student: int, teacher: int, student_memory: Tensor, teacher_memory: Tensor) -> CRD:
    """With embeddings of these lengths and these memories."""
    data = DataInfo(4, 32, torch.arange(len(student_memory)) % 4)
    method.spots = [SPOT]
    method.build(outputs(embedding=torch.zeros(2, student)), outputs(embedding=torch.zeros(2, teacher)), data)
    method.double()
    method.student_memory.bank.copy_(student_memory)
    method.teacher_memory.bank.copy_(teacher_memory)
    return method


def _side(anchors: Tensor, memory: Tensor, candidates: Tensor, z: float | None) -> tuple[list[float], float]:
    """The losses of one side, number by number, and Z."""
    images, negatives = len(memory), candidates.shape[1] - 1
    scores = [
        [exp(sum(a * m for a, m in zip(anchor, memory[i].tolist(), strict=True)) / 0.07) for i in row]
        for anchor, row in zip(anchors.tolist(), candidates.tolist(), strict=True)
    ]
    if z is None:
        z = images * sum(sum(row) for row in scores) / (len(scores) * (negatives + 1))
    noise = negatives / images
    losses = []
    for row in scores:
        own, *others = (score / z for score in row)
        loss = -log(own / (own + noise + 1e-7))
        losses.append(loss - sum(log(noise / (p + noise + 1e-7)) for p in others))
    return losses, z


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.square().sum(1, keepdim=True).sqrt()


def test_each_sample_tells_its_own_image_from_others() -> None:
    memories = u((20, 5), 1), u((20, 5), 2)
    method = _built(CRD(dim=5), 8, 12, *memories)
    s, t = _unit(u((6, 5), 3)), _unit(u((6, 5), 4))
    indices, candidates = 3 * torch.arange(6), (3 * torch.arange(6)[:, None] + torch.arange(8)) % 20
    losses = method.loss(s, t, indices, candidates)
    (of_student, z_s), (of_teacher, z_t) = (
        _side(s, memories[1], candidates, None),
        _side(t, memories[0], candidates, None),
    )
    assert losses.tolist() == pytest.approx([a + b for a, b in zip(of_student, of_teacher, strict=True)], rel=1e-11)

    memories = method.student_memory.bank.clone(), method.teacher_memory.bank.clone()
    losses = method.loss(t, s, indices, candidates)  # another batch, by the first one's Z
    expected, _ = _side(t, memories[1], candidates, z_s)
    others, _ = _side(s, memories[0], candidates, z_t)
    assert losses.tolist() == pytest.approx([a + b for a, b in zip(expected, others, strict=True)], rel=1e-11)


def test_the_gradient_is_that_of_the_loss() -> None:
    method = _built(CRD(dim=5), 8, 12, u((20, 5), 1), u((20, 5), 2)).eval()
    method.log_normalisers.fill_(5.0)
    candidates = torch.tensor([[0, 3, 3, 7], [4, 1, 2, 0], [4, 9, 9, 9]])  # candidates may repeat

    def loss(s: Tensor, t: Tensor) -> Tensor:
        return method.loss(s, t, candidates[:, 0], candidates)

    s, t = u((3, 5), 3).requires_grad_(), u((3, 5), 4).requires_grad_()
    gradients = torch.autograd.grad(loss(s, t).sum(), (s, t))
    for inputs, gradient in zip((s, t), gradients, strict=True):
        for entry in ((0, 1), (1, 4), (2, 0)):
            step = torch.zeros_like(inputs)
            step[entry] = 1e-6
            moved = [(s + sign * step, t) if inputs is s else (s, t + sign * step) for sign in (1, -1)]
            above, below = (loss(*pair).sum().item() for pair in moved)
            assert gradient[entry].item() == pytest.approx((above - below) / 2e-6, rel=1e-6)


@pytest.mark.recorded
def test_recorded_steps() -> None:
    method = _built(CRD(dim=5), 8, 12, 0.4 * u((20, 5), 31), 0.4 * u((20, 5), 32))
    fill_auxiliary(method)
    student, indices = student_vector(), 2 * torch.arange(8) + 1
    candidates = (indices[:, None] + torch.arange(8)) % 20
    s, t = outputs(embedding=student), outputs(embedding=teacher_vector())
    method.candidates = lambda batch: candidates  # type: ignore[method-assign] # a stand-in for the test
    batch = Batch(torch.zeros(8, 3, 1, 1), torch.zeros(8, dtype=torch.long), indices)
    recorded = [
        (17.777150963082725, 2.0824772450006117, 11.13932406421436),
        (18.366456747038683, 3.45083957615455, 28.890847682853163),
    ]
    for value, student_gradient, embed_gradient in recorded:
        loss = method(s, t, batch).mean()
        assert loss.item() == pytest.approx(value, rel=1e-8)
        assert gradient_norm(loss, [student]) == pytest.approx(student_gradient, rel=1e-8)
        assert gradient_norm(loss, method.parameters()) == pytest.approx(embed_gradient, rel=1e-8)
    assert method.log_normalisers.exp().tolist() == pytest.approx([4305.248559018086, 1371.8656870774769], rel=1e-8)
    sums = method.student_memory.bank.sum().item(), method.teacher_memory.bank.sum().item()
    assert sums == pytest.approx((-4.902487712688571, -7.675217434484133), rel=1e-8)


@pytest.mark.recorded
def test_recorded_sides_of_mdistiller() -> None:
    i = torch.arange(60, dtype=torch.float64).reshape(12, 5)
    memories = F.normalize(torch.sin(0.77 * i + 0.1)), F.normalize(torch.sin(0.77 * i + 0.9))
    s, t = (F.normalize(pattern(5, 1, 1.0, phase).flatten(1)) for phase in (0.3, 0.8))
    candidates = torch.tensor([[2, 0, 1, 3], [5, 4, 6, 8], [7, 9, 10, 0], [11, 1, 2, 3]])
    method = _built(CRD(dim=5), 5, 5, *memories)
    active = torch.ones(4, dtype=torch.bool)
    assert method.contrast(s, memories[1], candidates, active, side=0).mean().item() == pytest.approx(
        15.2207528793, rel=1e-7
    )
    assert method.contrast(t, memories[0], candidates, active, side=1).mean().item() == pytest.approx(
        7.8365261416, rel=1e-7
    )
    assert method.log_normalisers.exp().tolist() == pytest.approx([1570302.811, 1048839.288], rel=1e-7)
    method.loss(s, t, candidates[:, 0], candidates)
    expected = [0.56432717, 0.65182096, 0.4652517, 0.14033732, -0.14321513]
    assert method.student_memory.bank[2].tolist() == pytest.approx(expected, abs=1e-8)


def _distillation(method: CRD, labels: Tensor | None = None) -> tuple[Distillation, Tapped]:
    data = TINY_DATA if labels is None else replace(TINY_DATA, labels=labels)
    teacher = Tapped(tiny(width=6, seed=1)).requires_grad_(False)
    return Distillation(tiny(), teacher, [method], data), teacher


@pytest.mark.parametrize("positive", ["exact", "relax"])
def test_candidates_are_the_own_image_or_class_and_then_other_classes(positive: str) -> None:
    labels = torch.tensor([0] * 20 + [1] * 3 + [2, 3, 3, 4, 4, 4, 4])
    method = CRD(num_negatives=500, positive="exact" if positive == "exact" else "relax")
    _distillation(method, labels)
    batch = replace(tiny_batch(), indices=torch.tensor([3, 21, 23, 25, 29, 0]), labels=torch.tensor([0, 1, 2, 3, 4, 0]))
    candidates = method.candidates(batch)
    assert candidates.shape == (6, 501)
    own, others = candidates[:, 0], candidates[:, 1:]
    assert labels[own].equal(batch.labels)
    assert own.equal(batch.indices) == (positive == "exact")
    assert (labels[others] != batch.labels[:, None]).all()
    assert set(others[2].tolist()) == set(range(30)) - {23}
    assert candidates.equal(method.candidates(batch))
    assert not candidates.equal(method.candidates(replace(batch, step=1)))


def test_both_embeddings_learn_and_the_teacher_does_not() -> None:
    method = CRD(dim=16, num_negatives=20)
    distillation, teacher = _distillation(method)
    batch = tiny_batch()
    torch.autograd.backward(distillation(batch, teacher(batch.images))["CRD"])
    for layer in (method.embed_student, method.embed_teacher, distillation.student.module("conv1")):
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_memories_move_in_training_only() -> None:
    method = CRD(dim=16, num_negatives=20)
    distillation, teacher = _distillation(method)
    batch, before = tiny_batch(), method.student_memory.bank.clone()
    distillation.eval()
    distillation(batch, teacher(batch.images))
    assert method.student_memory.bank.equal(before)
    assert method.log_normalisers.isinf().all()
    distillation.train()
    distillation(batch, teacher(batch.images))
    moved = (method.student_memory.bank != before).any(1)
    assert moved.nonzero().squeeze(1).tolist() == batch.indices.tolist()
    assert method.log_normalisers.isfinite().all()


def test_samples_that_are_off_leave_no_trace() -> None:
    memories = u((20, 5), 1), u((20, 5), 2)
    masked, without = (_built(CRD(dim=5), 8, 12, *memories) for _ in range(2))
    s, t, indices = _unit(u((6, 5), 3)), _unit(u((6, 5), 4)), torch.tensor([3, 7, 3, 0, 7, 9])
    candidates = (indices[:, None] + torch.arange(8)) % 20
    keep = [0, 3, 4]
    active = torch.zeros(6)
    active[keep] = 1
    losses = masked.loss(s, t, indices, candidates, active)
    torch.testing.assert_close(losses[keep], without.loss(s[keep], t[keep], indices[keep], candidates[keep]))
    for name, buffer in without.named_buffers():
        torch.testing.assert_close(masked.get_buffer(name), buffer)


def test_a_mask_without_active_samples_changes_no_state() -> None:
    method = _built(CRD(dim=5), 8, 12, u((20, 5), 1), u((20, 5), 2))
    s, t, indices = _unit(u((2, 5), 3)), _unit(u((2, 5), 4)), torch.tensor([3, 7])
    losses = method.loss(s, t, indices, (indices[:, None] + torch.arange(8)) % 20, torch.zeros(2))
    assert losses.isfinite().all()
    assert method.log_normalisers.isinf().all()
    assert method.student_memory.bank.equal(u((20, 5), 1))


def test_the_state_makes_a_resumed_run_go_on_alike() -> None:
    distillations = [_distillation(CRD(dim=16, num_negatives=20))[0] for _ in range(2)]
    _, teacher = _distillation(CRD(dim=16, num_negatives=20))
    teacher.tap(["embedding"])
    first, resumed = distillations
    for step in range(2):
        first(tiny_batch(step=step), teacher(tiny_batch(step=step).images))
    resumed.load_state_dict(first.state_dict())
    batch = tiny_batch(step=2)
    terms = [distillation(batch, teacher(batch.images))["CRD"] for distillation in distillations]
    assert terms[0].item() == terms[1].item()
    assert resumed.state_dict()["methods.CRD.student_memory.bank"].equal(
        first.state_dict()["methods.CRD.student_memory.bank"]
    )


def test_low_temperatures_do_not_overflow() -> None:
    method = _built(
        CRD(dim=5, temperature=0.005), 8, 12, F.normalize(u((20, 5), 1)), F.normalize(u((20, 5), 2))
    ).float()
    s = _unit(u((4, 5), 3)).float().requires_grad_()
    loss = method.loss(s, _unit(u((4, 5), 4)).float(), torch.arange(4), torch.arange(8).expand(4, -1)).sum()
    (gradient,) = torch.autograd.grad(loss, s)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ValueError, match="CRD: the training images must have two or more labels"):
        _distillation(CRD(), torch.zeros(30, dtype=torch.long))


def test_a_network_without_embedding_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 10, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="CRD: no 'embedding' was found in this network"):
        Distillation(network, zoo("resnet8", 10), [CRD()], DataInfo(10, 32, torch.arange(10)))
