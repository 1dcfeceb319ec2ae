"""Reads a network at the places its anatomy names; plain hooks, so that these tests need nothing but the network."""

from collections.abc import Iterable

from torch import Tensor, nn

from stillhouse.anatomy import Anatomy


def anatomy_of(network: nn.Module) -> Anatomy:
    assert isinstance(network.anatomy, Anatomy)
    return network.anatomy


def head_of(network: nn.Module) -> nn.Linear:
    head = network.get_submodule(str(anatomy_of(network).head))
    assert isinstance(head, nn.Linear)
    return head


def places(network: nn.Module) -> list[str]:
    """Every landmark once: the last stage is often the map as well."""
    anatomy = anatomy_of(network)
    everything = [anatomy.stem, *anatomy.stages, *anatomy.preacts, anatomy.map, f"{anatomy.head}:in"]
    return list(dict.fromkeys(str(path) for path in everything))


def read(network: nn.Module, images: Tensor, paths: Iterable[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits and the value at each path. Fails where a value is computed twice or overwritten later."""
    seen: dict[str, tuple[Tensor, int]] = {}
    handles = []
    for path in paths:

        def record(module: nn.Module, args: tuple[Tensor, ...], value: Tensor | None = None, path: str = path) -> None:
            assert path not in seen, f"{path} runs twice"
            taken = args[0] if value is None else value
            seen[path] = taken, taken._version

        module = network.get_submodule(path.removesuffix(":in"))
        if path.endswith(":in"):
            handles.append(module.register_forward_pre_hook(record))
        else:
            handles.append(module.register_forward_hook(record))
    logits = network(images)
    for handle in handles:
        handle.remove()
    for path, (value, version) in seen.items():
        assert value._version == version, f"{path} is overwritten in place"
    return logits, {path: value for path, (value, _) in seen.items()}
