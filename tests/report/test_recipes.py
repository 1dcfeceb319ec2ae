"""Recipes: every one of them can be run, and they are what was published."""

import dataclasses
import re
import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pytest
import timm
import torchvision
import yaml

from stillhouse.__main__ import main
from stillhouse.cli.arguments import named_values, option_groups, parse as parse_options
from stillhouse.cli.options.distill import Distill
from stillhouse.methods import SemCKD
from stillhouse.methods.parse import MethodSpec, parse
from stillhouse.models import zoo
from stillhouse.report import recipes
from stillhouse.report.recipes import find, published
from stillhouse.training.config import TrainConfig
from tests.helpers.landmarks import anatomy_of
from tests.helpers.networks import quick_net_file

ROOT = Path(__file__).parents[2]
FILES = sorted(path for path in recipes.FOLDER.glob("*.yaml") if path.name != "protocols.yaml")
BENCHMARK = (
    "wrn_40_2-wrn_16_2",
    "wrn_40_2-wrn_40_1",
    "resnet56-resnet20",
    "resnet110-resnet20",
    "resnet110-resnet32",
    "resnet32x4-resnet8x4",
    "vgg13-vgg8",
    "vgg13-MobileNetV2",
    "ResNet50-MobileNetV2",
    "ResNet50-vgg8",
    "resnet32x4-ShuffleV1",
    "resnet32x4-ShuffleV2",
    "wrn_40_2-ShuffleV1",
)
SHALLOWEST = [("stage1", "stage1"), ("stage2", "stage2"), ("stage3", "stage3")]
METHODS = ("kd", "fitnet", "at", "sp", "cc", "vid", "rkd", "pkt", "ab", "ft", "nst", "crd", "crd+kd", "dist")


class NoRepeats(yaml.SafeLoader):
    """YAML without it takes the last of two values for one key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), keys
        return super().construct_mapping(node, deep)


def options_of(name: str) -> Any:
    return find(name).options


def method_of(name: str, cls: str) -> dict[str, Any]:
    """The arguments of a method in a recipe, also of one inside of another."""
    waiting = parse(str(options_of(name)["methods"]))
    for method_specs in waiting:
        if method_specs.cls.__name__ == cls:
            return method_specs.arguments
        for value in method_specs.arguments.values():
            waiting += [
                item for item in (value if isinstance(value, list) else [value]) if isinstance(item, MethodSpec)
            ]
    raise AssertionError(f"{name} has no {cls}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_complete_and_its_names_are_its_own(path: Path) -> None:
    file = yaml.load(path.read_text(), NoRepeats)
    assert set(file) == {"source", "measured", "runs"}
    known = {"recipe", "methods", "top1", "protocol", "options", "source", "measured"}
    for block in file["runs"]:
        assert {"recipe", "methods", "top1"} <= set(block) <= known, block
        assert block.get("measured", file["measured"]) in ("last", "best", "unstated")
    assert len(list(recipes._runs(file, recipes._read(recipes.FOLDER / "protocols.yaml")))) >= len(file["runs"])


def test_stages_are_paired_by_a_recipe_where_networks_have_unequal_numbers_of_them() -> None:
    """The default pairs the deepest; codes that zip lists pair the shallowest, and a recipe has to say so."""

    def stages(name: str) -> int:
        if ":" in name:
            return 4  # torchvision's and timm's ResNets and transformers
        return len(anatomy_of(zoo(name, 10)).stages)

    pairs = {name: (str(run.options["student"]), str(run.options["teacher"])) for name, run in published().items()}
    counts = {name: stages(name) for name in {name for pair in pairs.values() for name in pair}}
    unequal = {recipe for recipe, (student, teacher) in pairs.items() if counts[student] != counts[teacher]}
    for methods in {str(options_of(recipe)["methods"]) for recipe in unequal}:
        for spec in parse(methods):
            assert spec.cls is SemCKD or spec.arguments.get("at") not in ("stages", "preacts"), methods


def test_no_name_is_there_twice() -> None:
    runs = [yaml.safe_load(path.read_text())["runs"] for path in FILES]
    assert sum(len(block["top1"]) for blocks in runs for block in blocks) == len(published()) > 800


def test_every_recipe_gives_options_that_the_command_takes() -> None:
    fields = {field.name for cls in option_groups(Distill) for field in dataclasses.fields(cls)}
    training = {field.name for field in dataclasses.fields(TrainConfig)}
    for name, run in published().items():
        assert set(run.options) <= fields, name
        assert {"teacher", "student", "methods", "data", "epochs", "batch_size", "lr", "weight_decay"} <= set(
            run.options
        )
        TrainConfig(**{key: value for key, value in run.options.items() if key in training})  # type: ignore[arg-type]
        assert not any(re.search(r"(^|\s)[~/]", str(value)) for value in run.options.values()), name
        assert all(measured in ("last", "best", "unstated") for measured in run.top1), name
        assert all(40 < top1 < 100 for top1 in run.top1.values()), name
        assert len(run.source) > 20


def test_every_list_of_methods_is_one() -> None:
    for methods in {str(run.options["methods"]) for run in published().values()}:
        assert parse(methods)


def test_every_network_exists() -> None:
    for name in {str(run.options[role]) for run in published().values() for role in ("teacher", "student")}:
        source, _, rest = name.rpartition(":")
        if source == "timm":
            assert timm.is_model(rest.partition(".")[0]), name
            assert "." not in rest or rest in timm.list_pretrained(), name
        elif source == "torchvision":
            assert rest in torchvision.models.list_models()
        else:
            zoo(name, 10)


@pytest.mark.parametrize("method", METHODS)
def test_the_benchmark_is_whole(method: str) -> None:
    assert all(find(f"cifar100/{method}/{pair}").top1 for pair in BENCHMARK)


# Written down from the papers and code bases once more, not from the files.
@pytest.mark.parametrize(
    ("name", "cls", "expected"),
    [
        ("cifar100/kd/resnet56-resnet20", "CE", {"weight": 0.1}),
        ("cifar100/kd/resnet56-resnet20", "KD", {"weight": 0.9, "temperature": 4}),
        ("cifar100/fitnet/vgg13-vgg8", "FitNet", {"weight": 100, "at": "stage2"}),
        ("cifar100/at/vgg13-vgg8", "AT", {"weight": 1000, "power": 2}),
        ("cifar100/sp/vgg13-vgg8", "SP", {"weight": 3000}),
        ("cifar100/cc/vgg13-vgg8", "CC", {"weight": 0.02, "correlation": "consecutive", "dim": 128}),
        ("cifar100/vid/vgg13-vgg8", "VID", {"weight": 1, "learned_variance": True}),
        ("cifar100/pkt/vgg13-vgg8", "PKT", {"weight": 30000}),
        ("cifar100/nst/vgg13-vgg8", "NST", {"weight": 50}),
        ("cifar100/ft/resnet56-resnet20", "FT", {"weight": 200, "compare": "attention", "warmup_lr": 0.01}),
        ("cifar100/ft/vgg13-vgg8", "FT", {"weight": 200, "warmup_lr": 0.05}),
        ("cifar100/crd/vgg13-vgg8", "CRD", {"weight": 0.8, "num_negatives": 16384, "temperature": 0.07}),
        ("cifar100/crd+kd/vgg13-vgg8", "KD", {"weight": 1}),
        ("cifar100/dkd/resnet56-resnet20", "DKD", {"alpha": 1, "beta": 2, "temperature": 4}),
        ("cifar100/dkd/resnet110-resnet32", "DKD", {"beta": 2}),
        ("cifar100/dkd/wrn_40_2-wrn_16_2", "DKD", {"beta": 6}),
        ("cifar100/dkd/vgg13-MobileNetV2", "DKD", {"beta": 6}),
        ("cifar100/dkd/resnet32x4-resnet8x4", "DKD", {"beta": 8}),
        ("cifar100/dkd/wrn_40_2-ShuffleV1", "DKD", {"beta": 8}),
        ("cifar100/dkd/wrn_40_2-ShuffleV1", "Ramped", {"epochs": 20}),
        ("imagenet/dkd/resnet34-resnet18", "DKD", {"beta": 0.5, "temperature": 1}),
        ("imagenet/dkd/resnet50-mobilenetv1", "DKD", {"beta": 2, "temperature": 1}),
        ("cifar100/reviewkd/resnet56-resnet20", "ReviewKD", {"weight": 0.6}),
        ("cifar100/reviewkd/resnet32x4-ShuffleV2", "ReviewKD", {"weight": 8}),
        ("cifar100/reviewkd@mdistiller/resnet32x4-resnet8x4", "ReviewKD", {"weight": 5}),
        ("imagenet/reviewkd/resnet50-mobilenetv1", "ReviewKD", {"weight": 8}),
        ("cifar100/semckd/resnet32x4-vgg8", "SemCKD", {"weight": 400}),
        ("cifar100/semckd/resnet32x4-vgg8", "KD", {"weight": 1, "temperature": 4}),
        ("imagenet/semckd/resnet34-resnet18", "SemCKD", {"weight": 50}),
        ("cifar100/fitnet@semckd/resnet32x4-vgg8", "FitNet", {"weight": 100, "at": "stage1"}),
        ("cifar100/at@semckd/resnet32x4-vgg8", "AT", {"at": SHALLOWEST}),
        ("cifar100/at@semckd/resnet32x4-vgg13", "AT", {"at": SHALLOWEST}),
        ("cifar100/at@semckd/vgg13-vgg8", "AT", {"at": "stages"}),
        ("cifar100/vid@semckd/vgg13-ShuffleV2", "VID", {"at": SHALLOWEST}),
        ("cifar100/vid@semckd/wrn_40_2-MobileNetV2", "VID", {"at": SHALLOWEST}),
        ("cifar100/kdsvd/resnet32x4-resnet8x4", "KDSVD", {"weight": 1, "rows": "lines"}),
        ("cifar100/dspp/resnet56-resnet20", "DSPP", {"levels": 4, "divisor": 5, "strong_weight": 0.9}),
        ("cifar100/dspp+kd@readme/resnet32x4-resnet8x4", "DSPP", {"levels": 3, "divisor": 100, "weak_weight": 10}),
        ("cifar100/sd-kd/resnet32x4-resnet8x4", "ScaleDecoupled", {"scales": [1, 2], "compare": "correctness"}),
        ("cifar100/sd-dkd/wrn_40_2-vgg8", "ScaleDecoupled", {"scales": [1, 2, 4], "complementary": 2}),
        ("cifar100/sd-dkd/wrn_40_2-vgg8", "DKD", {"beta": 8}),
        ("cifar100/sd-dkd/wrn_40_2-MobileNetV2", "DKD", {"beta": 6}),
        ("cifar100/sd-nkd/ResNet50-ShuffleV1", "NKD", {"gamma": 8, "temperature": 4, "all_classes": True}),
        ("imagenet/sd-nkd/resnet34-resnet18", "NKD", {"gamma": 0.5, "temperature": 1}),
        ("cifar100/kd+ls/resnet110-resnet20", "KD", {"temperature": 4, "weight": 12}),
        ("cifar100/kd+ls/ResNet50-MobileNetV2", "KD", {"temperature": 3, "weight": 1}),
        ("cifar100/kd+ls/wrn_40_2-wrn_16_2", "Standardized", {"unbiased": True}),
        ("cifar100/dkd+ls/resnet56-resnet20", "DKD", {"temperature": 3, "weight": 18, "beta": 2}),
        ("cifar100/mlkd+ls/vgg13-vgg8", "MLKD", {"weight": 6, "temperatures": [2, 3, 5, 2, 6], "standardized": True}),
        ("cifar100/mlkd/vgg13-vgg8", "MLKD", {"weight": 0.9, "temperatures": [4, 3, 5, 2, 6]}),
        ("cifar100/ctkd/vgg13-vgg8", "CTKD", {"start": 1, "span": 20, "epochs": 10}),
        ("cifar100/dist/vgg13-vgg8", "DIST", {"weight": 2, "temperature": 4}),
        ("imagenet/dist/resnet34-resnet18", "DIST", {"weight": 2, "temperature": 1}),
        ("cifar100/ttm/vgg13-vgg8", "TTM", {"weight": 45, "exponent": 0.1}),
        ("cifar100/wttm+crd/vgg13-vgg8", "WTTM", {"weight": 4, "exponent": 0.2}),
        ("cifar100/rld/vgg13-vgg8", "RLD", {"alpha": 1, "beta": 8, "temperature": 4}),
        ("cifar100/catkd/resnet32x4-ShuffleV1", "CATKD", {"weight": 600, "size": 4, "normalize": True}),
        ("cifar100/catkd/resnet56-resnet20", "CATKD", {"weight": 0.7, "size": 2, "normalize": False}),
        ("cifar100/at+sakd/vgg13-vgg8", "SpotAdaptive", {"gamma": 2, "balance": 0.5}),
        ("cifar100/sp+sakd/vgg13-vgg8", "SpotAdaptive", {"gamma": 1}),
        ("tiny_imagenet/sp+sakd/vgg13-vgg8", "SpotAdaptive", {"gamma": 2}),
        ("cifar100/fitnet+sakd/vgg13-vgg8", "FitNet", {"weight": 1, "at": "stage2"}),
        ("cifar100/ofd/wrn_28_4-wrn_16_2", "OFD", {"weight": 0.001, "teacher_statistics": "batch"}),
        ("cifar100/ofd@guan/wrn_28_4-wrn_16_2", "OFD", {"margin": -0.79788, "teacher_statistics": "running"}),
        ("cifar100/kd@guan/wrn_28_4-wrn_16_2", "KD", {"weight": 0.2, "temperature": 4, "cross_entropy": True}),
        ("cub200/sd-dkd/vgg13-MobileNetV2", "DKD", {"beta": 6}),
        ("cub200/sd-dkd/ResNet50-ShuffleV1", "DKD", {"beta": 8}),
        ("cub200/sd-nkd/resnet32x4-ShuffleV1", "NKD", {"gamma": 8, "temperature": 4, "all_classes": True}),
        ("cub200/sd-kd/vgg13-vgg8", "ScaleDecoupled", {"scales": [1, 2, 4], "pooling": "nested"}),
        ("tiny_imagenet/kd+dot/ResNet18-ShuffleV2", "KD", {"weight": 0.9, "temperature": 4}),
        ("tiny_imagenet/dspp/resnet56-resnet20", "DSPP", {"levels": 4, "divisor": 5}),
    ],
)
def test_methods_have_what_was_published(name: str, cls: str, expected: dict[str, object]) -> None:
    arguments = method_of(name, cls)
    assert {key: arguments[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar100/kd/resnet56-resnet20", {"lr": 0.05, "epochs": 240, "batch_size": 64, "weight_decay": 5e-4}),
        ("cifar100/kd/vgg13-MobileNetV2", {"lr": 0.01, "teacher": "vgg13", "student": "MobileNetV2"}),
        ("cifar100/dkd/resnet32x4-ShuffleV1", {"lr": 0.01}),
        ("cifar100/semckd/vgg13-ShuffleV2", {"lr": 0.01}),
        ("cifar100/kd/ResNet50-vgg8", {"lr": 0.05}),
        ("cifar100/at+sakd/vgg13-MobileNetV2_1.0", {"lr": 0.01, "student": "MobileNetV2_1.0"}),
        ("imagenet/dkd/resnet50-mobilenetv1", {"lr": 0.2, "student": "MobileNetV1"}),
        ("cifar100/sd-kd/wrn_40_2-MobileNetV2", {"lr": 0.01, "clip_norm": 40}),
        ("cifar100/mlkd/ResNet50-MobileNetV2", {"lr": 0.0025, "epochs": 480, "milestones": [150, 180, 210]}),
        ("cifar100/mlkd+ls/resnet32x4-ShuffleV2", {"lr": 0.01, "epochs": 960}),
        ("cifar100/mlkd+ls/resnet32x4-resnet8x4", {"lr": 0.025, "epochs": 480}),
        ("cifar100/reviewkd/wrn_40_2-ShuffleV1", {"lr": 0.02, "batch_size": 128, "nesterov": True}),
        ("cifar100/kd+dot/vgg13-vgg8", {"optimizer": "dot", "dot_delta": 0.075, "lr": 0.05}),
        ("imagenet/kd+dot/resnet34-resnet18", {"dot_delta": 0.09, "lr": 0.2, "batch_size": 512, "epochs": 100}),
        ("cifar100/dspp/resnet56-resnet20", {"batch_size": 256, "lr": 0.05}),
        ("cifar100/nst+sakd/wrn_40_2-ShuffleV1", {"batch_size": 32, "lr": 0.01}),
        ("imagenet/semckd/resnet34-resnet18", {"epochs": 90, "lr": 0.1, "batch_size": 256, "milestones": [30, 60]}),
        ("imagenet/dist/resnet34-resnet18", {"student": "torchvision:resnet18", "teacher_weights": "pretrained"}),
        ("cinic10/kd@guan/shufflenetV2_2.0-shufflenetV2_1.0", {"lr": 0.01, "batch_size": 96, "epochs": 140}),
        ("cinic10/kd@guan/shufflenetV2_2.0-shufflenetV2_1.0", {"crop": "resized", "data": "cinic10"}),
        ("cifar100/sp@guan/wrn_28_4-wrn_16_2", {"crop": "reflected", "mean": [0.4914, 0.4824, 0.4467]}),
        ("cifar10/sp@guan/wrn_40_2-wrn_16_2", {"crop": "reflected", "data": "cifar10", "lr_decay": 0.2}),
        ("tiny_imagenet/at@sakd/vgg13-vgg8", {"data": "tiny_imagenet", "crop": "none", "std": [0.2023, 0.1994, 0.201]}),
        ("tiny_imagenet/dspp/vgg13-vgg8", {"batch_size": 256, "lr": 0.05, "crop": "none"}),
        ("tiny_imagenet/kd+dot/ResNet18-MobileNetV2", {"rotation": 20, "crop": "none", "lr": 0.2, "epochs": 200}),
        ("tiny_imagenet/kd+dot/ResNet18-MobileNetV2", {"student": "MobileNetV2_tiny", "dot_delta": 0.075}),
        ("cub200/sd-kd/vgg13-vgg8", {"lr": 0.05, "resize": "squash_crop", "crop": "shifted", "image_size": 224}),
        ("cub200/sd-kd/ResNet50-ShuffleV1", {"lr": 0.01, "teacher": "ResNet50_224", "student": "ShuffleV1_224"}),
    ],
)
def test_trainings_are_as_published(name: str, expected: dict[str, object]) -> None:
    assert {key: options_of(name)[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("cifar100/kd/resnet56-resnet20", 149, 150),
        ("cifar100/kd/resnet56-resnet20", 209, 210),
        ("cifar100/mlkd+ls/resnet56-resnet20", 149, 150),
        ("cifar100/kd@guan/wrn_28_4-wrn_16_2", 59, 60),
        ("imagenet/kd/resnet34-resnet18", 89, 90),
        ("imagenet/ctkd/resnet34-resnet18", 29, 30),
    ],
)
def test_learning_rates_drop_when_they_should(name: str, before: int, after: int) -> None:
    training = {field.name for field in dataclasses.fields(TrainConfig)}
    config = TrainConfig(**{key: value for key, value in options_of(name).items() if key in training})
    assert config.lr_at(after) == pytest.approx(config.lr_decay * config.lr_at(before))


@pytest.mark.parametrize(
    ("name", "top1", "words"),
    [
        ("cifar100/kd/resnet56-resnet20", {"last": 70.66}, "70.66 %, last epoch"),
        ("cifar100/dkd/resnet32x4-resnet8x4", {"best": 76.32}, "76.32 %, best epoch"),
        ("cifar100/crd/wrn_40_2-ShuffleV1", {"last": 76.05}, "76.05 %, last epoch"),
        ("cifar100/semckd/resnet32x4-vgg13", {"best": 79.43}, "79.43 %, best epoch"),
        ("cifar100/nst+sakd/resnet110-resnet32", {"best": 73.71}, "73.71 %, best epoch"),
        ("cifar100/at@sakd/wrn_40_2-ShuffleV1", {"best": 76.35}, "76.35 %, best epoch"),
        ("cifar100/nst@sakd/ResNet50-MobileNetV2_1.0", {"best": 73.01}, "73.01 %, best epoch"),
        ("tiny_imagenet/crd+sakd/vgg13-MobileNetV2_1.0", {"best": 62.73}, "62.73 %, best epoch"),
        ("cifar100/nst@sakd/ResNet50-vgg8", {}, ""),
        ("cifar100/kd+ls/vgg13-vgg8", {"best": 74.36, "last": 74.50}, "74.36 %, best epoch or 74.50 %, last epoch"),
        ("cifar100/dist/resnet110-resnet20", {"unstated": 71.65}, "71.65 %"),
        ("imagenet/kd/resnet34-resnet18", {"best": 70.66}, "70.66 %, best epoch"),
        ("cub200/sd-nkd/vgg13-vgg8", {"best": 68.37}, "68.37 %, best epoch"),
        ("cub200/semckd@sdd/vgg13-MobileNetV2", {"unstated": 68.23}, "68.23 %"),
        ("tiny_imagenet/dspp/resnet56-resnet20", {}, ""),
        ("tiny_imagenet/kd+dot/ResNet18-ShuffleV2", {"best": 65.75}, "65.75 %, best epoch"),
    ],
)
def test_results_are_as_published(name: str, top1: dict[str, float], words: str) -> None:
    assert find(name).top1 == top1
    assert find(name).report() == words


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no recipe 'cifar100/dkd/resnet32x4-resnt8x4'\. Did you mean .*-resnet8x4 "):
        find("cifar100/dkd/resnet32x4-resnt8x4")
    with pytest.raises(ValueError, match=r"All: stillhouse list recipes"):
        find("everything")


def test_what_is_typed_wins_on_either_side_of_the_recipe(tmp_path: Path) -> None:
    name = "cifar100/mlkd/vgg13-MobileNetV2"

    def values(arguments: list[str]) -> dict[str, Any]:
        return named_values(parse_options("distill", Distill, arguments))

    assert values(["--recipe", name])["milestones"] == (150, 180, 210)
    (tmp_path / "mine.yaml").write_text(f"recipe: {name}\nbatch_size: 32\n")
    typed = ["--epochs", "3", f"--recipe={name}", "--milestones", "1,2"]
    for arguments in (typed, ["--config", str(tmp_path / "mine.yaml"), *typed[:2], *typed[3:]]):
        found = values(arguments)
        assert (found["epochs"], found["milestones"]) == (3, (1, 2))
        assert (found["lr"], found["teacher"], found["recipe"]) == (0.0025, "vgg13", name)
    assert found["batch_size"] == 32


def test_a_run_that_is_the_published_one_is_known_from_others() -> None:
    run = find("cifar100/kd/resnet56-resnet20")
    assert run.differs({"lr": 0.05, "methods": [str(m) for m in parse("CE(0.1), KD(0.9)")], "seed": 3}) == []
    assert run.differs({"milestones": (0.625, 0.75, 0.875), "epochs": 10, "student": "resnet8"}) == [
        "student",
        "epochs",
    ]


def test_one_runs_and_names_the_published_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nets = quick_net_file(tmp_path)
    words = ["--recipe", "cifar100/at/resnet56-resnet20", "--data", "digits", "--epochs", "5", "--baseline", "false"]
    networks = ["--teacher", f"{nets}:wide", "--student", f"{nets}:small", "--folder", str(tmp_path / "runs")]
    assert main(["distill", *words, *networks]) == 0
    outputs = " ".join(capsys.readouterr().out.split())
    assert "published for cifar100/at/resnet56-resnet20: 70.55 %, last epoch; here with different " in outputs
    (config,) = (tmp_path / "runs").glob("*from*/config.yaml")
    kept = yaml.safe_load(config.read_text())
    assert kept["recipe"] == "cifar100/at/resnet56-resnet20"
    assert kept["methods"][1].startswith("AT(weight=1000")


def test_the_list_shows_kinds_and_then_pairs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list", "recipes"]) == 0
    outputs = capsys.readouterr().out
    assert re.search(r"cifar100/dkd +11 +Zhao et al\., CVPR 2022", outputs)
    assert main(["list", "recipes", "cifar100/dkd/"]) == 0
    outputs = capsys.readouterr().out
    assert re.search(r"cifar100/dkd/resnet56-resnet20 +CE, .*beta=2.* 71\.97 %, best epoch", outputs)
    assert outputs.count("cifar100/dkd/") == 11
    assert main(["list", "recipes", "zzz"]) == 2
    assert "none of the recipes has 'zzz' in its name" in capsys.readouterr().err


def test_wheels_hold_the_files_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"recipes": f"stillhouse/{recipes._INSTALLED.name}"}
    assert recipes._CHECKED_OUT == ROOT / "recipes"
