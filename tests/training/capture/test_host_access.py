"""What a step asks the host is found, and said with the line that does it."""

from collections.abc import Callable
from unittest.mock import patch

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._dynamo.convert_frame import input_codes

from stillhouse.training.capture.host_access import NotCapturable, Withheld, host_access, what_python_holds

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 2, 1, 0])


def _assign(value: Tensor | float) -> None:
    X.clone()[0, 0] = value


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (lambda: X.sum().item(), "it reads a number back"),
        (lambda: float(X.sum()), "it reads a number back"),
        (lambda: X.tolist(), "it copies to the host"),
        (lambda: X.numpy(), "it copies to the host"),
        (lambda: X.to("cpu"), "it copies to the host"),
        (lambda: X[X > 0], "it selects elements by a mask, so their number depends on values"),
        (lambda: X[:, X[0] > 0], "it selects elements by a mask, so their number depends on values"),
        (lambda: X.masked_select(X > 0), "what masked_select returns depends on values"),
        (lambda: (X > 0).nonzero(), "what nonzero returns depends on values"),
        (lambda: torch._unique2(LABELS), "what unique2 returns depends on values"),
        (lambda: LABELS.bincount(), "what bincount returns depends on values"),
        (lambda: X.equal(X), "what equal returns depends on values"),
        (lambda: torch.linalg.svd(X), "linalg_svd waits for the device"),
        (lambda: torch.tensor([1.0]), "it copies numbers from the host"),
        (lambda: torch.from_numpy(numpy.zeros(3)), "it copies numbers from the host"),
        (lambda: X[[0, 1]], "it copies numbers from the host"),
        (lambda: torch.arange(3), "torch.arange without device=... makes a tensor on the host"),
        (lambda: X.bernoulli(0.5, generator=torch.Generator()), "it draws random numbers inside the step"),
    ],
)
def test_what_stops_a_graph_is_found(step: Callable[[], object], what: str) -> None:
    with host_access() as found:
        step()
        step()
    (sentence,) = found
    assert sentence.startswith(f"{what} (test_host_access.py, line ")


def test_what_a_graph_can_replay_is_let_through() -> None:
    weight = nn.Parameter(torch.randn(3, 5))
    with host_access() as found:
        logits = F.dropout(torch.where(X > 0, X, 0.0)) @ weight
        loss = F.cross_entropy(logits, LABELS) + (F.one_hot(LABELS, 5) * logits).mean() + logits[LABELS].sum()
        loss.backward()  # type: ignore[no-untyped-call] # in PyTorch
        torch.nn.utils.clip_grad_norm_([weight], 1.0)
        _assign(1.0)
        _assign(X[0, 1])
        logits[:, LABELS]
        torch.arange(3, device=X.device)
    assert found == []
    with host_access() as found:
        F.one_hot(LABELS)  # as many classes as there may be
    assert len(found) == 1


def test_the_backward_pass_is_looked_at_too() -> None:
    class Counting(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: Tensor) -> Tensor:
            return gradients[0] * gradients[0].sum().item()

    x = X.clone().requires_grad_()
    with host_access() as found:
        Counting.apply(x).sum().backward()
    assert found[0].startswith("it reads a number back (test_host_access.py, ")


def test_what_is_compiled_is_neither_compiled_inside_nor_refused_for_ever() -> None:
    class Doubling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    def count(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., tuple[Tensor, ...]]:
        compiled.append(graph)
        return graph.forward

    compiled: list[torch.fx.GraphModule] = []
    torch.compiler.reset()
    net = Doubling()
    net.compile(backend=count, fullgraph=True)
    with host_access() as found:
        value = net(X)
    assert torch.equal(value, 2 * X)
    assert found == []
    assert compiled == []
    assert Doubling.forward.__code__ not in input_codes  # PyTorch 2.11 skips for ever what it sees in such a block
    assert torch.equal(net(X), 2 * X)
    assert len(compiled) == 1


@pytest.mark.parametrize(
    "use", [lambda n: n + 1, lambda n: n < 3, lambda n: f"{n}", lambda n: X * n, int, float, lambda n: 3 % n, bool]
)
def test_a_number_that_is_withheld_cannot_be_used(use: Callable[[object], object]) -> None:
    with pytest.raises((NotCapturable, TypeError)):
        use(Withheld("batch.step"))
    with pytest.raises(NotCapturable, match=r"it reads batch.step, which would be a constant of the graph \(test_host"):
        int(Withheld("batch.step"))  # type: ignore[call-overload]


def _fail(why: str) -> None:
    raise RuntimeError(why)


def test_a_gpu_in_use_is_told_to_refuse_to_wait() -> None:
    modes: list[object] = []

    def set_mode(mode: object) -> None:
        modes.append(mode)

    with (
        patch.object(torch.cuda, "is_initialized", lambda: True),
        patch.object(torch.cuda, "get_sync_debug_mode", lambda: 0),
        patch.object(torch.cuda, "set_sync_debug_mode", set_mode),
    ):
        with host_access() as found:
            _fail("called a synchronizing CUDA operation")
        with pytest.raises(RuntimeError, match="shapes"), host_access():
            _fail("shapes")
    assert found == ["it waits for the device"]
    assert modes == ["error", 0, "error", 0]


def test_parts_of_what_a_module_holds_count_too() -> None:
    net, shares = nn.Identity(), [0.5, 1.0]
    object.__setattr__(net, "kept", {"shares": shares})
    before = what_python_holds(net)
    assert what_python_holds(net) == before
    shares[1] = 0.7
    assert what_python_holds(net) != before


def test_tensors_and_numbers_that_a_module_holds() -> None:
    net = nn.BatchNorm1d(3)
    before = what_python_holds(net)
    net(X)
    assert what_python_holds(net) == before  # its buffers were written into
    net.running_mean = torch.zeros(3)
    net.momentum = 0.2
    after = what_python_holds(net)
    assert [name for name in after if after[name] != before[name]] == ["momentum", "running_mean"]
