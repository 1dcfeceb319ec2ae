"""A `Distiller` in torch.compile: its networks are compiled, once, and its losses are not."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from stillhouse import DataInfo, Distiller
from stillhouse.methods import AT, CE, CRD, KD, FitNet
from stillhouse.own_loop.distiller import Step
from tests.helpers.networks import QuickNet
from tests.helpers.training import assert_same

EPOCHS, STEPS, BATCH = 2, 4, 8


def distiller() -> Distiller:
    torch.manual_seed(0)
    methods = [CE(), KD(), AT(), FitNet(), CRD(num_negatives=6, dim=8)]
    return Distiller(QuickNet(), QuickNet(width=8), methods, DataInfo(4, 16, torch.arange(40) % 4, batch_size=BATCH))


def trained(one: Distiller, host: Callable[..., Step]) -> Distiller:
    """Train with a loop whose batches are the same each time."""
    optimizer, images = torch.optim.SGD(one.groups(0.05, 0.0), momentum=0.9), torch.Generator().manual_seed(1)
    for epoch in range(EPOCHS):
        one.train().begin_epoch(epoch, STEPS)
        for _ in range(STEPS):
            indices = torch.randperm(40, generator=images)[:BATCH]
            step = host(torch.randn(BATCH, 3, 16, 16, generator=images), indices % 4, indices)
            optimizer.zero_grad()
            step.loss.backward()  # type: ignore[no-untyped-call] # in PyTorch
            optimizer.step()
            one.after_step()
    return one


@pytest.mark.parametrize("way", ["torch.compile(distiller)", "distiller.compile()"])
def test_steps_of_a_compiled_distiller_are_compiled_once_and_learn_the_same(way: str) -> None:
    compiled: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., object]:
        compiled.append(graph)
        return graph.forward

    torch.compiler.reset()
    one = distiller()
    host: Callable[..., Step] = one
    if way == "distiller.compile()":
        one.compile(backend=backend)
    else:
        host = torch.compile(one, backend=backend)
    trained(one, host)
    assert_same(trained(other := distiller(), other).state_dict(), one.state_dict())
    (graph,) = compiled
    convolutions = [node for node in graph.graph.nodes if "conv" in str(node.target)]
    assert len(convolutions) == sum(
        isinstance(part, nn.Conv2d) for net in (one.student, QuickNet()) for part in net.modules()
    )
