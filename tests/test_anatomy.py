from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.models import zoo
from stillhouse.rng import seeded
from stillhouse.taps import Tapped
from tests.helpers.networks import TinyNet, tiny

Build = Callable[[], nn.Module]


def _vit(img_size: int = 32) -> nn.Module:
    net: nn.Module = timm.models.VisionTransformer(
        img_size=img_size, patch_size=8, depth=6, embed_dim=16, num_heads=2, num_classes=10
    )
    return net


def _swin() -> nn.Module:
    net: nn.Module = torchvision.models.SwinTransformer(
        patch_size=[4, 4],
        embed_dim=16,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 2, 4],
        window_size=[4, 4],
        num_classes=10,
    )
    return net


# The landmarks a person would name, for networks that do not declare theirs.
FOUND: list[tuple[str, Build, Anatomy]] = [
    (
        "by hand",
        tiny,
        Anatomy(
            stages=("stem", "act1", "act2"),
            head="fc",
            map="act2",
            preacts=("stem.2:in", "act1:in", "act2:in"),
            norms=("stem.1", "norm1", "norm2"),
        ),
    ),
    (
        "torchvision resnet18",
        lambda: torchvision.models.resnet18(num_classes=10),
        Anatomy(
            stages=("layer1", "layer2", "layer3", "layer4"),
            head="fc",
            map="avgpool:in",
            stem="relu",
            preacts=("layer1.1.relu:in", "layer2.1.relu:in", "layer3.1.relu:in", "layer4.1.relu:in"),
            norms=("layer1.1.bn2", "layer2.1.bn2", "layer3.1.bn2", "layer4.1.bn2"),
        ),
    ),
    (
        "torchvision mobilenet_v2",
        lambda: torchvision.models.mobilenet_v2(num_classes=10),
        Anatomy(
            stages=("features.1", "features.3", "features.6", "features.13", "features"),
            head="classifier.1",
            map="features",  # pooled by a function, not by a module
            preacts=("features.1", "features.3", "features.6", "features.13", "features.18.2:in"),  # linear bottlenecks
            norms=(
                "features.1.conv.2",
                "features.3.conv.3",
                "features.6.conv.3",
                "features.13.conv.3",
                "features.18.1",
            ),
        ),
    ),
    (
        "torchvision densenet",
        lambda: torchvision.models.DenseNet(8, (1, 1, 1, 1), 8, num_classes=10),
        Anatomy(
            stages=tuple(f"features.denseblock{i}" for i in (1, 2, 3, 4)),
            head="classifier",
            map="features.denseblock4",  # not before the pool between two blocks, which leaves one pixel as well
            stem="features.relu0",
            preacts=tuple(f"features.denseblock{i}" for i in (1, 2, 3, 4)),
        ),
    ),
    (
        "torchvision squeezenet",
        lambda: torchvision.models.squeezenet1_1(num_classes=10),
        Anatomy(  # its last layer is a convolution
            stages=("features.4", "features.7", "classifier.2"),
            map="classifier.3:in",
            stem="features.1",
            preacts=("features.4", "features.7", "classifier.2:in"),
        ),
    ),
    (
        "torchvision swin",
        _swin,
        Anatomy(stages=("features.1", "features.3", "features.5", "norm"), head="head", map="norm", channels_last=True),
    ),
    (
        "timm resnet18",
        lambda: timm.create_model("resnet18", num_classes=10),
        Anatomy(
            stages=("layer1", "layer2", "layer3", "layer4"),
            head="fc",
            map="global_pool.pool:in",
            stem="act1",
            preacts=("layer1.1.act2:in", "layer2.1.act2:in", "layer3.1.act2:in", "layer4.1.act2:in"),
            norms=("layer1.1.bn2", "layer2.1.bn2", "layer3.1.bn2", "layer4.1.bn2"),
        ),
    ),
    (
        "timm mobilenetv3_small_100",
        lambda: timm.create_model("mobilenetv3_small_100", num_classes=10),
        Anatomy(
            stages=("blocks.0", "blocks.1", "blocks.3", "blocks"),
            head="classifier",
            map="global_pool:in",  # a convolution follows the pool
            stem="bn1",
            preacts=("blocks.0", "blocks.1", "blocks.3", "blocks"),
            norms=("blocks.0.0.bn2", "blocks.1.1.bn3", "blocks.3.1.bn3", "blocks.5.0.bn1"),
        ),
    ),
    (
        "timm convnext_atto",
        lambda: timm.create_model("convnext_atto", num_classes=10),
        Anatomy(
            stages=("stages.0", "stages.1", "stages.2", "norm_pre"),
            head="head.fc",
            map="head.global_pool:in",
            preacts=("stages.0", "stages.1", "stages.2", "norm_pre"),
        ),
    ),
    ("timm vit", _vit, Anatomy(stages=("blocks.0", "blocks.2", "blocks.3", "blocks.5"), head="head")),
    (
        "torchvision vit",
        lambda: torchvision.models.VisionTransformer(32, 8, 4, 2, 16, 32, num_classes=10),
        Anatomy(stages=tuple(f"encoder.layers.encoder_layer_{i}" for i in range(4)), head="heads.head"),
    ),
]
SIZES = {"by hand": 16}


@pytest.mark.parametrize(("name", "build", "expected"), FOUND, ids=[name for name, *_ in FOUND])
def test_landmarks_are_found(name: str, build: Build, expected: Anatomy) -> None:
    assert Anatomy.of(build(), SIZES.get(name, 32)) == expected


@pytest.mark.parametrize(("name", "build", "expected"), FOUND, ids=[name for name, *_ in FOUND])
def test_landmarks_can_be_read_and_mean_what_they_say(name: str, build: Build, expected: Anatomy) -> None:
    with seeded(0, name):
        net = Tapped(build(), expected).eval()
        size = SIZES.get(name, 32)
        images = torch.randn(2, 3, size, size)
    net.tap(net.anatomy.roles)
    with torch.no_grad():
        outputs = net(images)
        if expected.head:
            torch.testing.assert_close(net.head(outputs["embedding"]), outputs.logits)
    sizes = []
    for number in range(1, len(expected.stages) + 1):
        stage = outputs[f"stage{number}"]
        assert stage.std() > 0
        if expected.preacts:
            active = stage - outputs[f"preact{number}"].relu()
            assert active.abs().max() < 1e-6 or torch.equal(stage, outputs[f"preact{number}"])
        sizes.append(stage.shape[2] if stage.ndim == 4 else 0)
    assert len(set(sizes)) in (1, len(sizes))  # each stage has a resolution of its own, or all are tokens
    assert sizes == sorted(sizes, reverse=True)
    if expected.map:
        assert outputs["map"].ndim == 4
        assert outputs["map"].shape[2] == sizes[-1]
    if expected.map and expected.head and name not in ("torchvision densenet", "timm mobilenetv3_small_100"):
        pooled = outputs["map"].mean((2, 3))
        assert pooled.shape == outputs["embedding"].shape


@pytest.mark.parametrize("name", ["resnet8", "resnet14", "ResNet50", "ShuffleV1"])
def test_what_is_found_is_what_our_networks_declare(name: str) -> None:
    net = zoo(name, 10)
    declared = Anatomy.of(net)
    del net.anatomy
    assert Anatomy.of(net, 32, given=Anatomy(stem=declared.stem, chain=declared.chain)) == declared


def test_a_stage_that_no_norm_scaled_last_has_none() -> None:
    net = zoo("wrn_16_1", 10)  # its blocks end in convolutions
    del net.anatomy
    found = Anatomy.of(net, 32)
    assert found.preacts[:2] == ("block1", "block2")
    assert found.norms == ()


def test_declared_landmarks_are_taken() -> None:
    class Declared(TinyNet):
        anatomy = Anatomy(stages=("conv1",), head="fc")

    assert Anatomy.of(Declared()) == Declared.anatomy


def test_what_is_given_wins_and_the_rest_is_found() -> None:
    anatomy = Anatomy.of(tiny(), 16, given=Anatomy(stages=("conv1", "conv2"), stem="stem.0"))
    assert anatomy.stages == ("conv1", "conv2")
    assert anatomy.stem == "stem.0"
    assert (anatomy.head, anatomy.map) == ("fc", "act2")


def test_looking_changes_nothing() -> None:
    net = tiny().train()
    net.norm1.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Anatomy.of(net, 16)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training
    assert net.norm2.training
    assert not net.norm1.training
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize("size", [32, 64])
def test_the_image_size_is_tried_out(size: int) -> None:
    anatomy = Anatomy.of(_vit(img_size=size))
    assert anatomy.head == "head"


def test_a_wrong_image_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"VisionTransformer cannot take images of 64 px \(.*32.*\); choose another"):
        Anatomy.of(_vit(), 64)


def test_no_image_size_that_fits_is_refused() -> None:
    with pytest.raises(ValueError, match=r"VisionTransformer cannot take images of 224 or 32 or 64 px"):
        Anatomy.of(_vit(img_size=40))


def test_what_does_not_return_logits_is_refused() -> None:
    class Pair(TinyNet):
        def forward(self, images: Tensor) -> Tensor:
            logits = super().forward(images)
            return (logits, -logits)  # type: ignore[return-value] # wrong on purpose

    with pytest.raises(ValueError, match=r"Pair returns a tuple of 2, 2 of them \(N, C\) tensors, .*; wrap it"):
        Anatomy.of(Pair(), 16)


class TwoHeads(TinyNet):
    """Its answer is the mean of two classifiers', which are equal as long as both are untrained."""

    def __init__(self) -> None:
        super().__init__()
        self.fc2 = nn.Linear(self.fc.in_features, self.fc.out_features)
        for head in (self.fc, self.fc2):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, images: Tensor) -> Tensor:
        x = self.act2(self.norm2(self.conv2(self.act1(self.norm1(self.conv1(self.stem(images))))))).mean((2, 3))
        logits: Tensor = (self.fc(x) + self.fc2(x)) / 2
        return logits


class Copied(TinyNet):
    """Its logits are its classifier's output, in other memory."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * 1.0


@pytest.mark.parametrize(
    ("build", "head", "size"),
    [
        (TwoHeads, None, 16),
        (Copied, "fc", 16),
        (lambda: timm.create_model("levit_128s", num_classes=10), None, 224),
        (lambda: timm.create_model("test_vit", num_classes=10, img_size=32), "head", 32),
    ],
)
def test_a_head_is_found_or_not_whatever_the_weights_are(build: Build, head: str | None, size: int) -> None:
    net = build()
    fresh = Anatomy.of(net, size)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    assert fresh.head == head
    assert Anatomy.of(net, size) == fresh
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    assert Anatomy.of(net, size) == fresh


THREE = Anatomy(stages=("a", "b", "c"), head="fc", map="c", preacts=("a:in", "b:in", "c:in"), stem="s")


def test_roles_become_paths() -> None:
    roles = ["stage1", "stage2", "stage3", "preact1", "preact2", "preact3", "stem", "last_stage", "map", "embedding"]
    assert THREE.roles == [*roles, "logits"]
    paths = ["a", "b", "c", "a:in", "b:in", "c:in", "s", "c", "c", "fc:in"]
    assert [THREE.resolve(role) for role in roles] == paths


def test_anything_else_is_a_path() -> None:
    for path in ("layer3.0.conv1", "stages.2", "stage2.1", "preacts", "map:in"):
        assert THREE.resolve(path) == path


@pytest.mark.parametrize("place", ["stage0", "stage4", "preact9"])
def test_numbers_beyond_the_last_are_refused(place: str) -> None:
    with pytest.raises(ValueError, match=rf"the network has no '{place}'; it has stage1, stage2, stage3, preact1"):
        THREE.resolve(place)


@pytest.mark.parametrize("place", ["stem", "last_stage", "map", "embedding"])
def test_roles_that_were_not_found_are_refused(place: str) -> None:
    with pytest.raises(ValueError, match=rf"no '{place}' was found in this network \(it has logits\); give its path"):
        Anatomy().resolve(place)


def test_anatomies_describe_themselves() -> None:
    assert THREE.describe() == "stages 1=a 2=b 3=c; map c; head fc"
    assert Anatomy().describe() == "stages none found; map none; head none found"
