"""The policy against its equation, written sample by sample."""

import math

import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.methods.layers.policy import AgentLoss, AtRandom, Policy
from stillhouse.taps import Outputs, Tapped
from tests.helpers.networks import QuickNet


def outputs(width: int, seed: int) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(6, width, generator=generator, dtype=torch.float64, requires_grad=True)
    return Outputs(torch.zeros(6, 4), {"embedding": embedding}, Tapped(QuickNet()))


def batch(step: int = 0) -> Batch:
    return Batch(torch.zeros(6, 3, 4, 4), torch.zeros(6).long(), torch.arange(6), step=step)


def test_decides_for_the_larger_noisy_score_and_passes_the_softened_gradient() -> None:
    student, teacher = outputs(3, 1), outputs(5, 2)
    policy = Policy(student, teacher, 2, temperature=5.0, prior=0.3).double()
    gates, likely = policy(student, teacher, batch())
    noise = policy.noise(torch.zeros(6, 2, 2, dtype=torch.float64), batch())
    for n in range(6):
        seen = torch.cat([teacher["embedding"][n], student["embedding"][n]])
        for place in range(2):
            weight, bias = (
                policy.linear.weight[2 * place : 2 * place + 2],
                policy.linear.bias[2 * place : 2 * place + 2],
            )
            to_teacher, to_student = (weight @ seen + bias).tolist()
            expected = math.exp(to_teacher) / (math.exp(to_teacher) + math.exp(to_student))
            assert math.isclose(likely[n, place].item(), expected, rel_tol=1e-12)
            wins = to_teacher + noise[n, place, 0].item() > to_student + noise[n, place, 1].item()
            assert gates[n, place].item() == wins
    gates.sum().backward()
    assert policy.linear.weight.grad is not None
    assert policy.linear.weight.grad.abs().sum() > 0
    assert student["embedding"].grad is None  # what it reads does not learn from it


def test_the_temperature_divides_the_scores_that_the_gradient_comes_from() -> None:
    student, teacher = outputs(3, 1), outputs(5, 2)
    policy = Policy(student, teacher, 1, temperature=5.0, prior=0.3).double()
    gates, _ = policy(student, teacher, batch())
    (slope,) = torch.autograd.grad(gates.sum(), policy.linear.bias)
    seen = torch.cat([teacher["embedding"], student["embedding"]], dim=1)
    noisy = policy.linear(seen).unflatten(1, (1, 2)) + policy.noise(torch.zeros(6, 1, 2), batch())
    shares = [1 / (1 + math.exp((to_student - to_teacher) / 5)) for to_teacher, to_student in noisy[:, 0].tolist()]
    expected = sum(share * (1 - share) / 5 for share in shares)
    assert slope.tolist() == pytest.approx([expected, -expected], rel=1e-9)


def test_the_prior_speaks_for_the_teacher_and_draws_belong_to_the_step() -> None:
    student, teacher = outputs(3, 1), outputs(5, 2)
    sure = Policy(student, teacher, 2, temperature=5.0, prior=50.0).double()
    assert sure(student, teacher, batch())[0].tolist() == [[1.0, 1.0]] * 6
    zeros = torch.zeros(6, 2, 2)
    assert torch.equal(sure.noise(zeros, batch(3)), sure.noise(zeros, batch(3)))
    assert not torch.equal(sure.noise(zeros, batch(3)), sure.noise(zeros, batch(4)))


def test_at_random_as_many_as_the_rate_says_and_the_same_at_the_same_step() -> None:
    student, teacher = outputs(3, 1), outputs(5, 2)
    policy = AtRandom(500, 0.2)
    gates, probability = policy(student, teacher, batch(3))
    assert gates.shape == probability.shape == (6, 500)
    assert (probability == 0.2).all()
    assert set(gates.unique().tolist()) == {0, 1}
    assert gates.mean().item() == pytest.approx(0.2, abs=0.03)
    assert torch.equal(gates, policy(student, teacher, batch(3))[0])
    assert not torch.equal(gates, policy(student, teacher, batch(4))[0])
    assert not list(policy.parameters())


def cross_entropy(logits: torch.Tensor, labels: list[int]) -> float:
    rows: list[list[float]] = logits.tolist()
    costs = [math.log(sum(map(math.exp, row))) - row[label] for row, label in zip(rows, labels, strict=True)]
    return sum(costs) / len(costs)


def test_agents_are_charged_more_where_routes_do_worse_than_the_student() -> None:
    good, bad = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    labels, gates = torch.tensor([0, 1]), torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    loss = AgentLoss(gamma=2.0, balance=0.5, teacher_learns=False)
    assert loss(bad, good, labels, gates).item() == pytest.approx(2 * cross_entropy(bad, [0, 1]), rel=1e-6)
    assert loss(good, bad, labels, gates).item() == pytest.approx(cross_entropy(good, [0, 1]) / 2, rel=1e-6)
    assert loss(good, good, labels, gates).item() == pytest.approx(cross_entropy(good, [0, 1]), rel=1e-6)


@pytest.mark.parametrize(("last", "missing"), [([1.0, 1.0], 0.0), ([1.0, 0.0], 0.5), ([0.0, 0.0], 1.5)])
def test_agents_are_charged_for_too_few_samples_at_the_last_place(last: list[float], missing: float) -> None:
    logits, labels, gates = torch.zeros(2, 4), torch.tensor([0, 1]), torch.stack([torch.ones(2), torch.tensor(last)], 1)
    plain = math.log(4)
    assert AgentLoss(1.0, 0.75, False)(logits, logits, labels, gates).item() == pytest.approx(plain + missing)
    assert AgentLoss(3.0, 0.75, True)(logits, logits, labels, gates).item() == pytest.approx(3 * plain)
