from collections.abc import Sequence
from dataclasses import replace
from math import exp, log
from typing import Literal

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from stillhouse.anatomy import Anatomy
from stillhouse.batch import Batch, DataInfo
from stillhouse.distillation import Distillation
from stillhouse.method import LogitMethod, Spot
from stillhouse.methods import CE, DKD, KD, NKD
from stillhouse.methods.wrappers import CTKD, ScaleDecoupled, Standardized
from stillhouse.models import zoo
from stillhouse.taps import Outputs, Tapped
from tests.golden.closed_form import u
from tests.helpers.contract import TRANSFORMERS
from tests.helpers.networks import tiny

REFUSES = TRANSFORMERS


class _Head(nn.Module):
    """A network whose images are maps already."""

    def __init__(self, channels: int, classes: int, behind: nn.Module | None = None):
        super().__init__()
        self.map = nn.Identity()
        self.behind = behind or nn.Identity()
        self.head = nn.Linear(channels, classes)
        self.anatomy = Anatomy(map="map", head="head")

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.behind(self.map(images).mean((2, 3))))
        return logits


def _said(images: Tensor, classes: int) -> Outputs:
    net = Tapped(_Head(images.shape[1], classes)).double()
    net.tap(["map"])
    outputs: Outputs = net(images)
    return outputs


def _batch(labels: Sequence[int] | Tensor, images: Tensor | None = None) -> Batch:
    labels = torch.as_tensor(labels)
    return Batch(torch.zeros(len(labels), 3, 1, 1) if images is None else images, labels, torch.arange(len(labels)))


def _data(image_size: int = 32) -> DataInfo:
    return DataInfo(10, image_size, torch.arange(10), batch_size=8)


def _kl(student: list[float], teacher: list[float]) -> float:
    s, t = ([exp(x / 4) for x in logits] for logits in (student, teacher))
    return 16 * sum(b / sum(t) * (log(b / sum(t)) - log(a / sum(s))) for a, b in zip(s, t, strict=True))


def _cells(features: Tensor, scale: int) -> list[Tensor]:
    """(C, H, W), whose sides the scale divides -> scale * scale averages (C,)"""
    side = features.shape[-1] // scale
    corners = [(i * side, j * side) for i in range(scale) for j in range(scale)]
    return [features[:, top : top + side, left : left + side].mean((1, 2)) for top, left in corners]


@pytest.mark.parametrize("scales", [(1, 2), (1, 2, 4), (1, 4)], ids=str)
@pytest.mark.parametrize("reference", [False, True], ids=["paper", "reference"])
def test_every_region_is_a_small_image(scales: tuple[int, ...], reference: bool) -> None:
    student, teacher = _said(u((6, 3, 4, 4), 1), 5), _said(9 * u((6, 7, 8, 8), 2), 5)
    labels = teacher.logits.argmax(1) + torch.tensor([0, 0, 0, 1, -1, 0])
    labels = labels % 5
    preset = ScaleDecoupled.reference if reference else ScaleDecoupled.paper
    method = preset(KD(temperature=4.0), scales).double()
    losses = method.loss_at(Spot("map", "map"), student, teacher, _batch(labels))
    complementary = 0
    for n in range(6):
        regions = []
        whole = int(teacher.logits[n].argmax())
        for scale in scales:
            for s, t in zip(_cells(student["map"][n], scale), _cells(teacher["map"][n], scale), strict=True):
                z_s, z_t = student.net.head(s).tolist(), teacher.net.head(t).tolist()
                seen = z_t.index(max(z_t))
                differs = (seen == labels[n]) != (whole == labels[n]) if reference else seen != whole
                complementary += differs
                regions.append((2 if differs else 1) * _kl(z_s, z_t))
        expected = sum(regions) / len(regions) if reference else sum(regions)
        assert losses[n].item() == pytest.approx(expected, rel=1e-10)
    count = 6 * sum(scale**2 for scale in scales)
    assert 0 < complementary < count
    observed = {name: value.item() for name, value in method.observations().items()}
    assert observed["regions/complementary"] == pytest.approx(complementary / count)
    assert observed["regions/consistent"] == pytest.approx(1 - complementary / count)


def test_means_of_scales_add_up() -> None:
    student, teacher, batch = _said(u((3, 3, 8, 8), 1), 5), _said(u((3, 7, 8, 8), 2), 5), _batch([0, 1, 2])
    each = [ScaleDecoupled(KD(), (1, k), complementary=1.0, reduction="sum") for k in (2, 4)]
    whole = KD().loss(student.logits, teacher.logits, batch.labels)
    two, four = (method(student, teacher, batch) - whole for method in _placed(each))
    (method,) = _placed([ScaleDecoupled(KD(), (1, 2, 4), complementary=1.0, reduction="means")])
    torch.testing.assert_close(method(student, teacher, batch), whole + two / 4 + four / 16)


def _placed(methods: Sequence[ScaleDecoupled]) -> Sequence[ScaleDecoupled]:
    for method in methods:
        method.spots = method.choose_spots(Anatomy(), Anatomy())
        method.double()
    return methods


def _scores() -> tuple[Tensor, Tensor]:
    """Logits (R, N, C) of five regions of six images."""
    b, c, n = torch.meshgrid(*(torch.arange(k).double() for k in (6, 10, 5)), indexing="ij")
    s = 3 * torch.sin(0.7 * b + 1.3 * c + 0.1) + torch.cos(0.5 * n + 0.3 * c + 0.1 * b)
    t = 4 * torch.cos(0.9 * b * c + 0.4 * c + 0.2 * b) + 2 * torch.sin(0.8 * n * c + 0.6 * n + 0.2 * b)
    return s.permute(2, 0, 1), t.permute(2, 0, 1)


def _all_classes(gamma: float, temperature: float) -> NKD:
    return NKD(gamma=gamma, temperature=temperature, all_classes=True)


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (KD(), 6.7553325309),
        (DKD(), 55.8122417968),
        (_all_classes(8, 4), 369.0392555342),
        (_all_classes(1.5, 1), 7.5239272442),
    ],
    ids=["KD", "DKD", "NKD", "NKD at 1"],
)
def test_recorded_values_for_given_regional_logits(
    base: LogitMethod, expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, teacher = (_said(scores[..., None, None].flatten(0, 1), 10) for scores in _scores())
    regional = {id(outputs): scores for outputs, scores in zip((student, teacher), _scores(), strict=True)}
    method = ScaleDecoupled.reference(base, (1, 2))
    monkeypatch.setattr(method, "regional_logits", lambda outputs: regional[id(outputs)])
    batch = _batch([0, 0, 0, 2, 3, 5])
    assert method.loss_at(Spot("map", "map"), student, teacher, batch).mean().item() == pytest.approx(
        expected, abs=1e-9
    )
    complementary = method.is_complementary(_scores()[1], batch.labels.expand(5, 6)).T.int().tolist()
    assert complementary == [[0, 1, 0, 0, 0], [0] * 5, [0] * 5, [0, 0, 0, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 0, 0]]


@pytest.mark.recorded
@pytest.mark.parametrize(
    ("side", "regions"),
    [
        (8, "0.359588 0.213485 0.15942 0.528811 0.536636 0.133729 0.124871 0.084696 0.044681 0.29092 0.304419"),
        (7, "0.329657 0.290428 0.078925 0.559608 0.389666 0.306564 0.287511 0.168203 0.039867 0.328101 0.239535"),
        (4, "0.096994 0.604693 0.767649 -0.386267 -0.598098"),
        (2, "0.497901 0 0.371615 0.694288 0.925699 0 0 0.371615 0.371615 0 0 0.371615 0.371615 0.694288"),
    ],
)
def test_recorded_nested_regions(side: int, regions: str) -> None:
    i = torch.arange(side * side).double()
    outputs = _said((torch.sin(0.37 * i) + 0.01 * i).reshape(1, 1, side, side), 1)
    head = outputs.net.head
    assert isinstance(head, nn.Linear)
    nn.init.ones_(head.weight)
    nn.init.zeros_(head.bias)
    actual = ScaleDecoupled.reference(KD()).regional_logits(outputs).flatten()
    expected = torch.tensor([float(x) for x in regions.split()], dtype=torch.float64)
    torch.testing.assert_close(actual[: len(expected)], expected, atol=1e-6, rtol=0)
    direct = ScaleDecoupled.paper(KD()).regional_logits(outputs).flatten()
    assert direct[0].item() == pytest.approx(outputs["map"].mean().item())  # nested regions overlap in a map of 7 x 7


def _features(shape: tuple[int, ...], amplitude: float, phase: float) -> Tensor:
    b, c, h, w = torch.meshgrid(*(torch.arange(k).double() for k in shape), indexing="ij")
    return amplitude * torch.sin(0.31 * b * c + 0.53 * c + 0.71 * h + 1.13 * w + 0.17 * b * h + 0.29 * c * w + phase)


@torch.no_grad()
def _fill_head(head: nn.Module, amplitude: float, phase: float) -> nn.Linear:
    assert isinstance(head, nn.Linear)
    k, c = torch.meshgrid(*(torch.arange(size).double() for size in head.weight.shape), indexing="ij")
    head.weight.copy_(amplitude * torch.cos(0.43 * k * c + 0.9 * k + phase))
    head.bias.copy_(0.3 * torch.sin(1.7 * k[:, 0] + phase))
    return head


RECORDED = """
8 1,2   7  .15853399 .05120855 .01434332  1.08922292 .33494021 .12078847   309.39477781 .44250061 .11946775
8 1,2,4 33 1.07072953 .15392537 .20760243 7.44842155 1.12295330 1.45585206 306.05002148 1.26468777 1.68540429
7 1,2   2  .19457010 .05664125 .02275082  1.51487124 .48637518 .18616518   251.35836218 .46942952 .18909541
7 1,2,4 13 .60187546 .09102691 .10018663  4.69160611 .71764152 .80400604   258.27759106 .75450376 .81588450
4 1,2   2  1.56853644 .36333219 .34814592 10.28831990 2.38087162 2.27502897 233.32145055 2.95666037 2.82352562
4 1,2,4 10 5.67630554 .67340420 .89489859 37.58834986 4.50981558 5.78214437 208.05259966 5.43340024 7.20377505
2 1,2   5  4.12242714 1.10635176 .64778109 32.66266619 9.27404654 5.78582791 257.77863626 8.87556847 5.18946641
2 1,2,4 25 4.74103011 1.29688701 .74649425 37.70038509 10.96937749 6.76166876 266.06589108 10.40017588 5.97243622
""".strip()


@pytest.mark.recorded
@pytest.mark.parametrize("line", RECORDED.splitlines(), ids=lambda line: " ".join(line.split()[:2]))
def test_recorded_values_and_gradients_from_map_to_loss(line: str) -> None:
    """Loss, gradient of the student's map and of its head's weight, for KD, DKD and NKD."""
    side, scales, complementary, *numbers = line.split()
    recorded = torch.tensor([float(number) for number in numbers], dtype=torch.float64).reshape(3, 3)
    x = _features((4, 5, int(side), int(side)), 1.0, 0.1).requires_grad_()
    student, teacher = _said(x, 6), _said(_features((4, 7, int(side), int(side)), 1.4, 0.8), 6)
    head = _fill_head(student.net.head, 2.0, 0.2)
    _fill_head(teacher.net.head, 3.0, 0.7)
    for base, expected in zip((KD(), DKD(), _all_classes(8, 4)), recorded, strict=True):
        method = ScaleDecoupled.reference(base, [int(k) for k in scales.split(",")])
        loss = method.loss_at(Spot("map", "map"), student, teacher, _batch([0, 3, 5, 1])).mean()
        gradients = torch.autograd.grad(loss, [x, head.weight])
        actual = torch.stack([loss.detach(), *(gradient.norm() for gradient in gradients)])
        torch.testing.assert_close(actual, expected, atol=1e-7, rtol=0)
        share = method.observations()["regions/complementary"].item()
        assert share == pytest.approx(int(complementary) / (4 * len(method.regions)))


@pytest.mark.parametrize("base", [KD(), DKD(), CE()], ids=lambda base: type(base).__name__)
@pytest.mark.parametrize("preset", [ScaleDecoupled.paper, ScaleDecoupled.reference], ids=lambda preset: preset.__name__)
def test_at_scale_one_it_is_the_base_method(base: LogitMethod, preset: type[ScaleDecoupled]) -> None:
    scaled = preset(base, (1,))
    student, teacher = Tapped(_with_statistics(tiny(10))), Tapped(_with_statistics(tiny(10, width=8)))
    Distillation(student, teacher, [scaled], _data(16))
    images = u((5, 3, 16, 16), 1).float()
    batch = _batch([0, 1, 2, 3, 0], images)
    s, t = student(images), teacher(images)
    torch.testing.assert_close(scaled(s, t, batch), base.loss(s.logits, t.logits, batch.labels))
    assert scaled.weight == base.weight


def _with_statistics(model: nn.Module) -> nn.Module:
    """In eval mode, with normalisations that are not the identity."""
    generator = torch.Generator().manual_seed(3)
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.data += torch.rand(tensor.shape, generator=generator) / 5
    return model.eval()


ZOO = ["resnet8", "resnet8x4", "wrn_16_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2", "ResNet50"]


@pytest.mark.parametrize("source", [*ZOO, "timm:resnet18", "torchvision:resnet18", "torchvision:mobilenet_v2"])
def test_region_zero_is_the_network_s_logits(source: str) -> None:
    library, _, name = source.rpartition(":")
    if library == "timm":
        model, size = timm.create_model(name, num_classes=10), 128
    elif library == "torchvision":
        model, size = torchvision.models.get_model(name, num_classes=10), 128
    else:
        model, size = zoo(name, 10), 32
    method, net = ScaleDecoupled.paper(KD()), Tapped(_with_statistics(model))
    Distillation(net, net, [method], _data(size))
    with torch.no_grad():
        outputs = net(u((2, 3, size, size), 1).float())
        regions = method.regional_logits(outputs)
    scale = max(1.0, outputs.logits.abs().max().item())
    assert regions.shape == (21, 2, 10)
    assert (regions[0] - outputs.logits).abs().max() <= 1e-5 * scale
    assert (regions[1:5].mean(0) - outputs.logits).abs().max() <= 1e-4 * scale
    assert (regions[1] - regions[4]).abs().max() > 1e-3 * scale


@pytest.mark.parametrize(
    ("name", "size", "sentence"),
    [
        ("convnext_atto", 64, "the logits of the teacher ConvNeXt must be one linear layer of the average"),
        ("deit_tiny_patch16_224", 224, "ScaleDecoupled: no 'map' was found in this network"),
    ],
)
def test_networks_without_regions_are_refused(name: str, size: int, sentence: str) -> None:
    model = timm.create_model(name, num_classes=10)
    with pytest.raises(ValueError, match=sentence):
        Distillation(zoo("resnet8", 10), model, [ScaleDecoupled(KD())], _data(size))


def test_scales_without_the_whole_image_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scales must begin with 1, .* not \[2, 4\]"):
        ScaleDecoupled(KD(), (2, 4))


def test_dropout_does_not_reach_the_regions() -> None:
    student, teacher = Tapped(_Head(3, 10, nn.Dropout(0.9))), Tapped(_Head(3, 10))
    method = ScaleDecoupled(KD())
    Distillation(student, teacher, [method], _data(4))
    images = u((8, 3, 4, 4), 1).float()
    outputs, evaluated = student.train()(images), student.eval()(images)
    assert not torch.equal(outputs.logits, evaluated.logits)
    torch.testing.assert_close(method.regional_logits(outputs)[0], evaluated.logits)


def test_only_the_student_learns() -> None:
    student, teacher = Tapped(tiny(10)), Tapped(tiny(10, width=8))
    method = ScaleDecoupled(KD())
    distillation = Distillation(student, teacher, [method], _data(16))
    images = u((8, 3, 16, 16), 1).float()
    with torch.no_grad():
        outputs = teacher(images)
    distillation(_batch([0, 1, 2, 3] * 2, images), outputs)["ScaleDecoupled"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in student.parameters())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert list(distillation.methods.parameters()) == []


def test_what_the_base_method_does_is_done() -> None:
    method = ScaleDecoupled(Standardized(CTKD(KD())))
    distillation = Distillation(tiny(10), tiny(10, width=8), [method], _data(16))
    (learned,) = distillation.methods.parameters()
    assert [parameter for group in method.groups() for parameter in group.parameters] == [learned]
    assert list(method.observations()) == ["temperature", "regions/consistent", "regions/complementary"]
    assert ScaleDecoupled(CE()).needs_teacher


def test_the_base_method_is_built_and_told_of_epochs() -> None:
    class Inside(KD):
        def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
            self.classes = data.num_classes

        def begin_epoch(self, epoch: int) -> None:
            self.epoch = epoch

    base = Inside()
    method = ScaleDecoupled(base)
    student, teacher = Tapped(tiny(10)), Tapped(tiny(10, width=8))
    distillation = Distillation(student, teacher, [method], _data(16))
    images = u((8, 3, 16, 16), 1).float()
    distillation(_batch([0, 1, 2, 3] * 2, images), teacher(images))
    assert method.observations()["regions/consistent"] > 0
    distillation.begin_epoch(2)
    assert (base.classes, base.epoch, base.spots) == (10, 2, [Spot("logits", "logits")])
    assert [value.item() for value in method.observations().values()] == [0, 0]


def test_shares_are_those_of_samples_that_are_on() -> None:
    student, teacher = Tapped(tiny(10)), Tapped(tiny(10, width=8))
    method = ScaleDecoupled(KD(), (1, 2))
    Distillation(student, teacher, [method], _data(16))
    batch, keep = _batch(torch.arange(8), 3 * u((8, 3, 16, 16), 1).float()), torch.tensor([0, 3, 4])
    asked = student(batch.images), teacher(batch.images)
    shares = []
    for outputs, some in (
        (asked, replace(batch, active=torch.zeros(8).index_fill(0, keep, 1.0))),
        ([outputs.rows(keep) for outputs in asked], batch.rows(keep)),
        (asked, batch),
    ):
        method.begin_epoch(0)
        method.loss_at(method.spots[0], outputs[0], outputs[1], some)
        shares.append(method.observations()["regions/complementary"].item())
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)
    assert shares[0] != pytest.approx(shares[2], rel=1e-2)


@pytest.mark.parametrize("compare", ["classes", "correctness"])
def test_each_image_has_its_share_of_complementary_regions(compare: Literal["classes", "correctness"]) -> None:
    student, teacher = Tapped(tiny(10)), Tapped(tiny(10, width=8, seed=2))
    method = ScaleDecoupled(KD(), (1, 2), compare=compare)
    Distillation(student, teacher, [method], _data(16))
    images = 5 * u((8, 3, 16, 16), 1).float()
    outputs = teacher(images)
    right = outputs.logits.argmax(1)  # of every second image; then regions may be right where the whole is wrong
    batch = _batch(torch.where(torch.arange(8) % 2 == 0, right, method.regional_logits(outputs)[1].argmax(1)), images)
    found = method.per_image(student(batch.images), outputs, batch)["regions/complementary"]
    seen = method.regional_logits(outputs).argmax(2)  # (5, 8)
    for n in range(8):
        kinds = [int(seen[r, n]) if compare == "classes" else int(seen[r, n] == batch.labels[n]) for r in range(5)]
        assert found[n].item() == pytest.approx(sum(kind != kinds[0] for kind in kinds) / 5)
    assert len(set(found.tolist())) > 1


def test_defaults_are_the_papers_and_are_not_saved() -> None:
    default, paper = ScaleDecoupled(KD()), ScaleDecoupled.paper(KD())
    for method in (default, paper):
        assert method.scales == (1, 2, 4)
        assert (method.complementary, method.compare, method.pooling) == (2.0, "classes", "direct")
        assert torch.equal(method.regions, torch.ones(21, 1))
        assert list(method.state_dict()) == ["means.sums"]
