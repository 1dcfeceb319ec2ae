"""From a name to a network: wherever it comes from, or a sentence that says why not."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import stillhouse
from stillhouse.models import libraries
from stillhouse.models.create import is_ours, network, network_files
from stillhouse.user_code import load_object

TINY = """
from torch import nn

class Tiny(nn.Sequential):
    def __init__(self, num_classes=3):
        super().__init__(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

def three():
    return Tiny(3)

def options(**options):
    return Tiny(**options)

def picky(num_classes, width):
    return Tiny(num_classes)

def broken(num_classes):
    return [][num_classes]

def proud(num_classes):
    raise TypeError("proud takes no classes")

def deaf(depth, *rest):
    return Tiny(3)

def number():
    return 3

text = "resnet8"
"""


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    path = tmp_path / "tiny.py"
    path.write_text(TINY)
    return str(path)


def classes(net: nn.Module, size: int = 32) -> int:
    with torch.no_grad():
        return int(net.eval()(torch.zeros(1, 3, size, size)).shape[1])


@pytest.mark.parametrize(
    "name",
    ["resnet8", "wrn_10_1", "timm:test_resnet", "torchvision:shufflenet_v2_x0_5", "torchvision:mobilenet_v3_small"],
)
def test_every_source_builds_for_the_classes(name: str) -> None:
    assert classes(network(name, 7, 32)) == 7


@pytest.mark.parametrize(("function", "expected"), [("Tiny", 7), ("options", 7), ("three", 3)])
def test_a_callable_of_ones_own_is_told_the_classes_if_it_takes_them(tiny: str, function: str, expected: int) -> None:
    assert classes(network(f"{tiny}:{function}", 7, 16)) == expected


def test_a_module_of_ones_own_in_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_package_of_nets").mkdir()
    (tmp_path / "my_package_of_nets" / "small.py").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])  # as the console script has it
    assert classes(network("my_package_of_nets.small:Tiny", 7, 16)) == 7
    assert network_files("my_package_of_nets.small:Tiny") == [tmp_path / "my_package_of_nets" / "small.py"]


def test_a_file_may_import_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_blocks_beside.py").write_text(TINY)
    (tmp_path / "net.py").write_text("from my_blocks_beside import Tiny\n")
    assert classes(network(f"{tmp_path}/net.py:Tiny", 7, 16)) == 7


def test_a_changed_file_is_run_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "value.py"
    path.write_text("value = [1]\n")
    first = load_object(str(path), "value")
    assert load_object(str(path), "value") is first
    path.write_text("value = [2]\n")  # as long as before, in the same second
    assert load_object(str(path), "value") == [2]


def test_vision_transformers_are_built_for_the_size_of_the_images() -> None:
    net = network("timm:vit_tiny_patch16_224", 5, 32)
    assert net.pos_embed.shape == (1, 1 + 4, 192)
    assert classes(net) == 5


def test_weights_depend_on_seed_and_name_and_disturb_nobody() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    nets = [network(name, 4, 32, seed=seed) for name, seed in (("resnet8", 0), ("resnet8", 0), ("resnet8", 1))]
    assert torch.equal(torch.rand(1), expected)
    first, same, other = (net.get_parameter("conv1.weight") for net in nets)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resent8", r"there is no network 'resent8' in the zoo. Nearest: resnet8"),
        ("resnet18", r"in the zoo. Did you mean torchvision:resnet18 or timm:resnet18\? Nearest: ResNet18"),
        ("test_resnet", r"in the zoo. Did you mean timm:test_resnet\? Nearest: resnet8"),
        ("timm:resnet81", r"timm has no 'resnet81'. Did you mean resnet18"),
        ("torchvision:resnet81", r"torchvision has no 'resnet81'. Did you mean resnet18"),
        ("torchvision:fcn_resnet50", r"torchvision has no 'fcn_resnet50'"),
        (".", r"there is no network '\.' in the zoo. It is a folder: name the network, and its trained weights"),
        ("timm:", r"there is no network 'timm:' in the zoo"),
        (":Net", r"there is no network ':Net' in the zoo"),
        (
            "no_such_package.nets:Net",
            r"no_such_package.nets cannot be imported: .*; zoo names have no colon; others are",
        ),
        ("torch.nn:Linaer", r"torch.nn has no 'Linaer'. Did you mean Linear"),
    ],
)
def test_names_of_nothing_are_refused_with_the_nearest(name: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        network(name, 10, 32)


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("Tinny", r"tiny.py has no 'Tinny'. Did you mean Tiny\?"),
        ("text", r"tiny.py:text is a str; name a function or class that builds"),
        ("number", r"tiny.py:number makes an object of type int, not an nn.Module"),
        (
            "proud",
            r"tiny.py:proud cannot be built for 7 classes and images of 16 px: TypeError: proud takes no",
        ),
        ("broken", r"tiny.py:broken cannot be built .*: IndexError: .* \(.*tiny.py, line 18\)"),
    ],
)
def test_builders_that_build_nothing_are_refused(tiny: str, function: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        network(f"{tiny}:{function}", 7, 16)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "sentence", "expected"),
    [
        ("picky", "tiny.py:picky needs width, and is given num_classes alone; call it in a file of your own and", 7),
        ("deaf", "tiny.py:deaf needs depth, and is given nothing; call it in a file of your own and name that", 3),
    ],
)
def test_arguments_that_are_missing_are_a_sentence_with_lines_that_give_them(
    tiny: str, function: str, sentence: str, expected: int
) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        network(f"{tiny}:{function}", 7, 16)
    lines = str(caught.value).partition("for example:\n\n")[2]
    assert len(lines.splitlines()) == 3
    built = Path(tiny).with_name(f"{function}_built.py")
    built.write_text(lines.replace("=...", "=2"))
    assert classes(network(f"{built}:built", 7, 16)) == expected


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("def f(:\n", r"mine.py cannot be imported: SyntaxError: invalid syntax \(mine.py, line 1\)"),
        ("import no_such_thing\n", r"mine.py cannot be imported: ModuleNotFoundError: No module named 'no_such_thing'"),
        (
            "x = 1\ny = x / 0\n",
            r"mine.py cannot be imported: ZeroDivisionError: division by zero \(.*mine.py, line 2\)",
        ),
    ],
)
def test_files_that_cannot_be_run_are_refused(tmp_path: Path, source: str, sentence: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(ValueError, match=sentence):
        network(f"{tmp_path}/mine.py:Net", 7, 16)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"there is no file {tmp_path}/absent.py"):
        network(f"{tmp_path}/absent.py:Net", 7, 16)


def test_sizes_that_a_builder_refuses_are_a_sentence() -> None:
    with pytest.raises(
        ValueError, match=r"torchvision:vit_b_16 cannot be built for 3 classes and images of 24 px: Asser"
    ):
        network("torchvision:vit_b_16", 3, 24)


def test_only_others_offer_pretrained_weights(tiny: str) -> None:
    for name in ("resnet8", f"{tiny}:Tiny"):
        with pytest.raises(ValueError, match=r"there are no pretrained weights for .*, only for timm:NAME"):
            network(name, 7, 32, pretrained=True)


def test_pretrained_weights_are_taken_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    original = models.get_model_builder("shufflenet_v2_x0_5")

    def offline(weights: str | None, num_classes: int = 1000) -> nn.Module:
        net: nn.Module = original(weights=None, num_classes=num_classes)
        if weights == "DEFAULT":
            for parameter in net.parameters():
                nn.init.constant_(parameter, 0.5)
        return net

    monkeypatch.setattr(models, "get_model_builder", lambda name: offline)
    monkeypatch.setattr(libraries, "_reach", lambda url, network, way_out: None)
    net = network("torchvision:shufflenet_v2_x0_5", 7, 32, pretrained=True)
    assert net.get_parameter("fc.weight").shape == (7, 1024)
    assert not (net.get_parameter("fc.weight") == 0.5).any()  # that head was for other classes
    assert (net.get_parameter("conv1.0.weight") == 0.5).all()


def test_without_timm_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"needs timm; install it with: pip install 'stillhouse\[timm\]'"):
        network("timm:resnet18", 7, 32)


@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1", "timm:resnet18", "torchvision:resnet18"])
def test_networks_of_ours_have_no_file_of_the_users(name: str) -> None:
    assert is_ours(name)
    assert network_files(name) == []


def test_networks_of_the_users_have(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_ours(f"{tiny}:Tiny")
    assert network_files(f"{tiny}:Tiny") == [Path(tiny)]
    assert not is_ours("os:abort")


def test_the_zoo_of_the_library_is_seeded_and_leaves_the_callers_random_numbers() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first, other = stillhouse.zoo("resnet8", 4), stillhouse.zoo("resnet8", 4, seed=1)
    assert torch.equal(torch.rand(1), expected)
    again, same = stillhouse.zoo("resnet8", 4), network("resnet8", 4, 32)
    weights = [net.state_dict()["conv1.weight"] for net in (first, again, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])
    with pytest.raises(ValueError, match="there is no network 'resnet9'"):
        stillhouse.zoo("resnet9", 4)
