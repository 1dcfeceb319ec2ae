import json
from pathlib import Path
from typing import TypedDict

import pytest
import torch
from torch import Tensor, fx, nn

from stillhouse.models import MODELS, zoo
from tests.golden.closed_form import fill, u
from tests.helpers.landmarks import anatomy_of, head_of, places, read


class Golden(TypedDict):
    """What the public implementation of a network computes, in eval mode, from closed-form weights and images."""

    params: int
    state: list[tuple[str, list[int]]]
    feat_shapes: list[list[int]]  # stem, stages, pooled vector; without the batch
    feat_mean_std: list[tuple[float, float]]
    preact_mean_std: list[tuple[float, float]]  # stem, preacts, pooled vector
    logits_row0_first5: list[float]
    logits_sum: float
    logits_l2: float


class More(TypedDict):
    """What another system's network returns, in eval mode, from the same weights and images."""

    params: int
    size: int
    classes: int
    state: list[tuple[str, list[int]]]
    returned: list[tuple[list[int], float]]  # shape and mean of each tensor: logits, features, often the pooled vector
    logits_row0_first5: list[float]
    logits_l2: float


GOLDEN: dict[str, dict[str, Golden]] = json.loads((Path(__file__).parents[1] / "golden/models.json").read_text())
MORE: dict[str, More] = {
    name: value
    for name, value in json.loads((Path(__file__).parents[1] / "golden/more_models.json").read_text()).items()
    if name != "note"
}
MDISTILLER = (
    "stem",
    "stages",
    "stem",
    "preacts",
    "pooled",
)  # its stem before the ReLU is overwritten by what is behind
RETURNED = {  # the zoo's name, and what comes behind the logits
    "SAKD ResNet18": ("ResNet18", ()),
    "SAKD MobileNetV2": ("MobileNetV2_1.0", ()),
    "mdistiller ResNet18": ("ResNet18", MDISTILLER),
    "mdistiller tiny/ResNet18": ("ResNet18", MDISTILLER),
    "mdistiller tiny/MobileNetV2": ("MobileNetV2_tiny", ("stem", "stages", "pooled")),
    "mdistiller imagenet/MobileNetV1": ("MobileNetV1", ("pooled", "stages", "preacts")),
    "fifth shufflenetV2-0.5": ("shufflenetV2_0.5", ("stem", "stages", "conv5")),
    "fifth shufflenetV2-1.0": ("shufflenetV2_1.0", ("stem", "stages", "conv5")),
}
SMALL = [
    *("resnet8", "wrn_16_1", "vgg8", "MobileNetV1", "MobileNetV2", "MobileNetV2_tiny", "ShuffleV1", "ShuffleV2"),
    "shufflenetV2_0.5",
]


def check(value: Tensor, mean_std: tuple[float, float]) -> None:
    mean, std = mean_std
    assert value.std().item() == pytest.approx(std, rel=1e-9)
    assert value.mean().item() == pytest.approx(mean, rel=0, abs=1e-9 * std)  # signed means cancel


@pytest.mark.parametrize(("setting", "name"), [(setting, name) for setting in GOLDEN for name in GOLDEN[setting]])
def test_equals_public_implementation(setting: str, name: str) -> None:
    golden = GOLDEN[setting][name]
    image_size, num_classes = {"32px_100cls": (32, 100), "64px_200cls": (64, 200)}[setting]
    network = zoo(name, num_classes).double().eval()
    state = network.state_dict()
    assert [(key, list(value.shape)) for key, value in state.items()] == [(key, size) for key, size in golden["state"]]
    assert sum(parameter.numel() for parameter in network.parameters()) == golden["params"]

    fill(state)
    with torch.no_grad():
        logits, seen = read(network, u((2, 3, image_size, image_size), 999), places(network))
    anatomy = anatomy_of(network)
    features = [seen[path] for path in (str(anatomy.stem), *anatomy.stages, f"{anatomy.head}:in")]
    preacts = [seen[path] for path in (str(anatomy.stem), *anatomy.preacts, f"{anatomy.head}:in")]
    assert [list(feature.shape[1:]) for feature in features] == golden["feat_shapes"]
    for value, mean_std in zip(features, golden["feat_mean_std"], strict=True):
        check(value, mean_std)
    for value, mean_std in zip(preacts, golden["preact_mean_std"], strict=True):
        check(value, mean_std)

    norm = golden["logits_l2"]
    assert logits.norm().item() == pytest.approx(norm, rel=1e-9)
    assert logits.sum().item() == pytest.approx(golden["logits_sum"], rel=0, abs=1e-9 * norm)
    assert logits[0, :5].tolist() == pytest.approx(golden["logits_row0_first5"], rel=0, abs=1e-9 * norm)


@pytest.mark.parametrize("golden", MORE)
def test_equals_what_other_systems_return(golden: str) -> None:
    expected, (name, returned) = MORE[golden], RETURNED[golden]
    network = zoo(name, expected["classes"]).double().eval()
    state = network.state_dict()
    assert [(key, list(value.shape)) for key, value in state.items()] == [
        (key, size) for key, size in expected["state"]
    ]
    assert sum(parameter.numel() for parameter in network.parameters()) == expected["params"]

    fill(state)
    anatomy = anatomy_of(network)
    known = {
        "stem": [str(anatomy.stem)],
        "stages": anatomy.stages,
        "preacts": anatomy.preacts,
        "pooled": [f"{anatomy.head}:in"],
    }
    paths = [path for place in returned for path in known.get(place, [place])]
    with torch.no_grad():
        logits, seen = read(network, u((2, 3, expected["size"], expected["size"]), 999), dict.fromkeys(paths))
    for value, (shape, mean) in zip([logits, *(seen[path] for path in paths)], expected["returned"], strict=True):
        assert list(value.shape) == [size for size in shape if size > 1]  # (N, C, 1, 1) pooled is (N, C) here
        assert value.mean().item() == pytest.approx(mean, rel=0, abs=1e-9 * value.std().item())
    norm = expected["logits_l2"]
    assert logits.norm().item() == pytest.approx(norm, rel=1e-9)
    assert logits[0, :5].tolist() == pytest.approx(expected["logits_row0_first5"], rel=0, abs=1e-9 * norm)


@pytest.mark.parametrize("name", MODELS)
def test_anatomy_names_existing_modules(name: str) -> None:
    with torch.device("meta"):
        network = zoo(name, 10)
        _, seen = read(network, torch.empty(2, 3, 32, 32), places(network))
    anatomy = anatomy_of(network)
    assert set(seen) == set(places(network))
    assert len(anatomy.preacts) == len(anatomy.stages)
    assert anatomy.norms == () or len(anatomy.norms) == len(anatomy.preacts)
    for norm, preact, stage in zip(anatomy.norms, anatomy.preacts, anatomy.stages, strict=False):
        module = network.get_submodule(norm)
        assert isinstance(module, nn.BatchNorm2d)
        assert module.num_features == seen[preact].shape[1]
        assert seen[preact].shape == seen[stage].shape
    assert head_of(network).out_features == 10


def check_pooled_map_is_what_the_head_reads(name: str, image_size: int) -> None:
    network = zoo(name, 10).eval()
    path = str(anatomy_of(network).map)
    with torch.no_grad():
        logits, seen = read(network, u((1, 3, image_size, image_size), 1).float(), [path])
        assert torch.equal(head_of(network)(seen[path].mean((2, 3))), logits)


@pytest.mark.parametrize("image_size", [32, 64])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("ResNet34", "ResNet101", "ResNet152")])
def test_pooled_map_is_what_the_head_reads(name: str, image_size: int) -> None:
    check_pooled_map_is_what_the_head_reads(name, image_size)


@pytest.mark.parametrize("name", SMALL)
def test_takes_large_images(name: str) -> None:
    check_pooled_map_is_what_the_head_reads(name, 224)


@pytest.mark.parametrize("name", [*SMALL, "ResNet18", "ResNet50"])
def test_runs_in_pieces(name: str) -> None:
    """torch.fx sees every stage as one call, and what lies behind a stage reads nothing that lies before it."""
    with torch.device("meta"):
        network = zoo(name, 10)
    stages = anatomy_of(network).stages

    class Tracer(fx.Tracer):
        def is_leaf_module(self, module: nn.Module, path: str) -> bool:
            return not any(stage.startswith(f"{path}.") for stage in stages)

    nodes = list(Tracer().trace(network).nodes)
    for stage in stages:
        [position] = [i for i, node in enumerate(nodes) if node.target == stage]
        crossing = {node for node in nodes[: position + 1] for user in node.users if nodes.index(user) > position}
        assert crossing == {nodes[position]}


@pytest.mark.parametrize("name", SMALL)
def test_trace_computes_the_same(name: str) -> None:
    network = zoo(name, 10).eval()
    traced = fx.symbolic_trace(network)
    for image_size in (32, 64):
        images = u((2, 3, image_size, image_size), 1).float()
        with torch.no_grad():
            assert torch.equal(traced(images), network(images))


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_learns(name: str) -> None:
    network = zoo(name, 10)
    network(u((4, 3, 32, 32), 1).float()).logsumexp(1).sum().backward()
    untouched = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert untouched == []


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"no network 'Resnet50' in the zoo\. Nearest: ResNet50.*stillhouse list models"
    ):
        zoo("Resnet50", 10)
    with pytest.raises(ValueError, match=r"Nearest: .*wrn_16_2.*wrn_D_W takes any depth D = 6n \+ 4"):
        zoo("wrn-16-2", 10)
    with pytest.raises(ValueError, match=r"in the zoo\. wrn_D_W takes"):
        zoo("?", 10)


@pytest.mark.parametrize(
    ("name", "side"),  # of the last map: 28 and 14 px are what SDD's code pools, 7 with its window of 8
    [
        ("resnet8x4_224", 28),
        ("resnet32x4_224", 28),
        ("vgg8_224", 28),
        ("vgg13_224", 28),
        ("ResNet50_224", 14),
        ("ShuffleV1_224", 14),
        ("MobileNetV2_224", 7),
    ],
)
def test_networks_for_224_px_are_the_small_ones_with_another_beginning(name: str, side: int) -> None:
    with torch.device("meta"):
        network, small = zoo(name, 200), zoo(name.removesuffix("_224"), 200)
        path = str(anatomy_of(network).map)
        _, seen = read(network, torch.empty(1, 3, 224, 224), [path])
    assert seen[path].shape[2:] == (side, side)
    shapes, others = ({key: value.shape for key, value in one.state_dict().items()} for one in (network, small))
    assert shapes.keys() == others.keys()
    different = {key: tuple(shapes[key]) for key in shapes if shapes[key] != others[key]}
    if name.startswith("vgg"):
        assert different == {}
    else:
        ((key, shape),) = different.items()
        assert key in ("conv1.weight", "conv1.0.weight")
        assert shape[1:] == (3, 7, 7)


@pytest.mark.parametrize(
    ("name", "parameters"),  # of the same networks for Tiny-ImageNet, as DSPP's code builds them
    [
        ("resnet20", 284_824),
        ("resnet56", 868_120),
        ("resnet110", 1_743_064),
        ("resnet8x4", 1_259_240),
        ("resnet32x4", 7_459_560),
        ("vgg8", 4_016_328),
        ("vgg13", 9_513_480),
        ("wrn_40_2", 2_268_056),
        ("ResNet50", 23_910_152),
    ],
)
def test_networks_of_200_classes_have_the_published_size(name: str, parameters: int) -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in zoo(name, 200).parameters()) == parameters
