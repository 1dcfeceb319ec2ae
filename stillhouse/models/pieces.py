"""Cutting a network into consecutive pieces, so that it can be run piece by piece."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn

from ..modes import in_eval_mode
from ..taps import Tapped
from .adapt import adapted, before, behind


def cut(net: Tapped, at: Sequence[str], image_size: int | None = None) -> list[nn.Module]:
    """Return pieces p with model(x) == p[-1](... p[0](x)) in eval mode; piece i ends where `Tapped` reads at[i].

    Each piece takes the output of the one before it; parameters, buffers and modules are the network's own. The pieces
    come from tracing the network with torch.fx, or from its anatomy's `chain` if that is given.

    Args:
        at: Places in the order in which they run; between two equal places there is a piece that does nothing.
        image_size: Try the pieces on images of this height and width.

    Raises:
        ValueError: If the network cannot be cut there.
    """
    paths = [net.anatomy.resolve(place) for place in at]
    for place in at:
        net.module(place)  # raises if there is no such place
    if not paths:
        return [net.model]
    pieces = _cut_chain(net, paths) if net.anatomy.chain else _cut_graph(net.model, paths)
    if adapted(net.model):
        pieces[0] = nn.Sequential(_Adapted(net.model, before), pieces[0])
        pieces[-1] = nn.Sequential(pieces[-1], _Adapted(net.model, behind))
    if net.anatomy.channels_last:
        pieces = [_ChannelsLast(piece, first=i == 0) for i, piece in enumerate(pieces)]
    if image_size:
        _try(net, pieces, image_size)
    return pieces


@contextmanager
def frozen(*nets: nn.Module) -> Iterator[None]:
    """Put networks in eval mode within the block, with gradients through them but not for their parameters."""
    trainable = [p for net in nets for p in net.parameters() if p.requires_grad]
    with in_eval_mode(*nets):
        try:
            for parameter in trainable:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in trainable:
                parameter.requires_grad_(True)


@torch.no_grad()
def _try(net: Tapped, pieces: Sequence[nn.Module], image_size: int) -> None:
    parameter = next(net.parameters())
    images = torch.rand(2, 3, image_size, image_size).to(parameter)
    with in_eval_mode(net, *pieces):
        expected, value = net.model(images), images
        for piece in pieces:
            value = piece(value)
    if value.shape != expected.shape or not torch.allclose(value, expected, rtol=1e-3, atol=1e-3):
        source = "the chain of its anatomy" if net.anatomy.chain else "torch.fx"
        raise ValueError(
            f"{type(net.model).__name__} must compute the same in pieces, but cut by {source} it does not; give, as "
            f"its anatomy's chain, the modules and methods that make up the network when called in order"
        )


def _cut_graph(model: nn.Module, paths: Sequence[str]) -> list[nn.Module]:
    tracer = _Tracer(paths)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(model.forward).parameters.items()
        if parameter.default is not parameter.empty
    }
    try:
        with in_eval_mode(model), warnings.catch_warnings(action="ignore"):
            nodes = list(tracer.trace(model, concrete_args=defaults or None).nodes)
        unseen = [path for path in paths if path not in tracer.nodes]
        assert not unseen, f"{', '.join(unseen)} neither takes nor returns a single tensor"
    except Exception as error:  # tracing runs foreign code on values that are not tensors: it can fail in any way
        raise ValueError(
            f"torch.fx cannot take {type(model).__name__} apart at {', '.join(paths)} ({_first_line(error)}); give, as "
            f"its anatomy's chain, the modules and methods that make up the network when called in order"
        ) from error
    images = next(node for node in nodes if node.op == "placeholder")
    [result] = nodes[-1].all_input_nodes
    stops = [images, *(tracer.nodes[path] for path in paths), result]
    return [_piece(model, nodes, start, end) for start, end in pairwise(stops)]


class _Tracer(fx.Tracer):
    """A tracer that enters a module only if a cut is inside it, so the rest need not be traceable."""

    def __init__(self, paths: Sequence[str]):
        super().__init__()
        self.modules = [path.removesuffix(":in") for path in paths]
        self.nodes: dict[str, fx.Node] = {}  # by path, with `:in` for inputs

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not any(path.startswith(f"{module_qualified_name}.") for path in self.modules)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        value = super().call_module(m, forward, args, kwargs)
        path = self.path_of_module(m)
        for name, proxy in ((path, value), (f"{path}:in", args[0] if args else None)):
            if isinstance(proxy, fx.Proxy):
                self.nodes[name] = proxy.node
        return value


def _piece(model: nn.Module, nodes: Sequence[fx.Node], start: fx.Node, end: fx.Node) -> fx.GraphModule:
    """Return the part of a graph that leads from one node to another."""
    needed = {end}
    for node in reversed(nodes):
        if node in needed and node is not start:
            needed.update(node.all_input_nodes)
    if any(node.op == "placeholder" for node in needed - {start}):
        raise ValueError(
            f"{type(model).__name__} cannot be cut at {start.target!s}: later modules also read values from before the "
            f"cut (a shortcut), or the places are not in the order in which they run; name other places"
        )
    graph = fx.Graph()
    copies = {start: graph.placeholder("x")}
    for node in nodes:
        if node in needed and node is not start:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[end])
    return fx.GraphModule(model, graph)


def _cut_chain(net: Tapped, paths: Sequence[str]) -> list[nn.Module]:
    links, stops = list(net.anatomy.chain), [0]
    for path in paths:
        name, _, is_input = path.partition(":")
        if name not in links:
            raise ValueError(
                f"the chain of {type(net.model).__name__} has no link {name!r} to cut at; it has {', '.join(links)}"
            )
        stops.append(links.index(name) + (not is_input))
    stops.append(len(links))
    if stops != sorted(stops):
        raise ValueError(f"{', '.join(paths)} are not in the order in which {type(net.model).__name__} runs them")
    return [_Links(net.model, links[a:b]) for a, b in pairwise(stops)]


class _Links(nn.Module):
    """Modules and methods of a network, called one after another."""

    def __init__(self, model: nn.Module, links: Sequence[str]):
        super().__init__()
        self.model, self.links = model, links

    def forward(self, x: Tensor) -> Tensor:
        for link in self.links:
            x = attrgetter(link)(self.model)(x)
        return x


class _ChannelsLast(nn.Module):
    """A piece of a network with maps (N, H, W, C), which takes and returns (N, C, H, W)."""

    def __init__(self, piece: nn.Module, first: bool):
        super().__init__()
        self.piece, self.first = piece, first

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1) if x.ndim == 4 and not self.first else x
        x = self.piece(x)
        return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


class _Adapted(nn.Module):
    """The step before a network, or after it, as a piece of its own."""

    def __init__(self, model: nn.Module, step: Callable[[nn.Module, Tensor], Tensor]):
        super().__init__()
        self.model, self.step = (model,), step  # a tuple, so that the network is not registered as a submodule

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self.model[0], x)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
