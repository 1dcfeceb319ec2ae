"""The zoo: networks for small images, and some of them for 224 px, by name. Nothing here is pretrained."""

import difflib
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from .deep_resnet import DeepResNet
from .libraries import libraries_with
from .mobilenetv1 import MobileNetV1
from .mobilenetv2 import MobileNetV2
from .mobilenetv2_tiny import TinyMobileNetV2
from .resnet import ResNet
from .shufflenetv1 import ShuffleV1
from .shufflenetv2 import ShuffleV2
from .shufflenetv2_preact import PreactShuffleV2
from .vgg import VGG
from .wrn import WRN

# Each takes `num_classes`. The names, including their capitals, are those of the published tables and checkpoints.
MODELS: dict[str, Callable[..., nn.Module]] = {
    "resnet8": partial(ResNet, 8),
    "resnet14": partial(ResNet, 14),
    "resnet20": partial(ResNet, 20),
    "resnet32": partial(ResNet, 32),
    "resnet44": partial(ResNet, 44),
    "resnet56": partial(ResNet, 56),
    "resnet110": partial(ResNet, 110),
    "resnet8x4": partial(ResNet, 8, widths=(32, 64, 128, 256)),
    "resnet32x4": partial(ResNet, 32, widths=(32, 64, 128, 256)),
    "resnet8x4_double": partial(ResNet, 8, widths=(64, 128, 256, 512)),
    "ResNet18": partial(DeepResNet, 18),
    "ResNet34": partial(DeepResNet, 34),
    "ResNet50": partial(DeepResNet, 50),
    "ResNet101": partial(DeepResNet, 101),
    "ResNet152": partial(DeepResNet, 152),
    "wrn_16_1": partial(WRN, 16, 1),
    "wrn_16_2": partial(WRN, 16, 2),
    "wrn_40_1": partial(WRN, 40, 1),
    "wrn_40_2": partial(WRN, 40, 2),  # and any other wrn_D_W, see `zoo`
    "vgg8": partial(VGG, (1, 1, 1, 1, 1)),
    "vgg11": partial(VGG, (1, 1, 2, 2, 2)),
    "vgg13": partial(VGG, (2, 2, 2, 2, 2)),
    "vgg16": partial(VGG, (2, 2, 3, 3, 3)),
    "vgg19": partial(VGG, (2, 2, 4, 4, 4)),
    "resnet8x4_224": partial(ResNet, 8, widths=(32, 64, 128, 256), large=True),  # for 224 px, as SDD has them
    "resnet32x4_224": partial(ResNet, 32, widths=(32, 64, 128, 256), large=True),
    "ResNet50_224": partial(DeepResNet, 50, large=True),
    "vgg8_224": partial(VGG, (1, 1, 1, 1, 1), fourth_pool=False),
    "vgg13_224": partial(VGG, (2, 2, 2, 2, 2), fourth_pool=False),
    "MobileNetV2_224": partial(MobileNetV2, large=True),
    "ShuffleV1_224": partial(ShuffleV1, large=True),
    "MobileNetV1": MobileNetV1,
    "MobileNetV2": MobileNetV2,
    "MobileNetV2_1.0": partial(MobileNetV2, width=1.0),
    "MobileNetV2_tiny": TinyMobileNetV2,
    "ShuffleV1": ShuffleV1,
    "ShuffleV2": ShuffleV2,
    "shufflenetV2_0.5": partial(PreactShuffleV2, (48, 96, 192, 1024)),
    "shufflenetV2_1.0": partial(PreactShuffleV2, (116, 232, 464, 1024)),
    "shufflenetV2_1.5": partial(PreactShuffleV2, (176, 352, 704, 1024)),
    "shufflenetV2_2.0": partial(PreactShuffleV2, (244, 488, 976, 2048)),
}

PARAMETERS = {  # for 100 classes; `stillhouse list models` reads them from this text, without building networks
    "resnet8": 83_892,
    "resnet14": 181_108,
    "resnet20": 278_324,
    "resnet32": 472_756,
    "resnet44": 667_188,
    "resnet56": 861_620,
    "resnet110": 1_736_564,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
    "resnet8x4_double": 4_875_428,
    "ResNet18": 11_220_132,
    "ResNet34": 21_328_292,
    "ResNet50": 23_705_252,
    "ResNet101": 42_697_380,
    "ResNet152": 58_341_028,
    "wrn_16_1": 180_916,
    "wrn_16_2": 703_284,
    "wrn_40_1": 569_780,
    "wrn_40_2": 2_255_156,
    "vgg8": 3_965_028,
    "vgg11": 9_277_284,
    "vgg13": 9_462_180,
    "vgg16": 14_774_436,
    "vgg19": 20_086_692,
    "resnet8x4_224": 1_237_380,
    "resnet32x4_224": 7_437_700,
    "ResNet50_224": 23_712_932,
    "vgg8_224": 3_965_028,
    "vgg13_224": 9_462_180,
    "MobileNetV2_224": 814_756,
    "ShuffleV1_224": 952_714,
    "MobileNetV1": 3_309_476,
    "MobileNetV2": 812_836,
    "MobileNetV2_1.0": 2_353_060,
    "MobileNetV2_tiny": 2_369_380,
    "ShuffleV1": 949_258,
    "ShuffleV2": 1_355_528,
    "shufflenetV2_0.5": 448_268,
    "shufflenetV2_1.0": 1_360_896,
    "shufflenetV2_1.5": 2_584_716,
    "shufflenetV2_2.0": 5_550_976,
}


def zoo(name: str, num_classes: int) -> nn.Module:
    """Return an untrained network by its name in `MODELS`, or wrn_D_W with any depth D = 6n + 4 and any width W."""
    wide = re.fullmatch(r"wrn_(\d+)_(\d+)", name)
    if wide:
        return WRN(int(wide[1]), int(wide[2]), num_classes)
    if name in MODELS:
        return MODELS[name](num_classes=num_classes)

    elsewhere = [f"{library}:{name}" for library in libraries_with(name)]
    meant = f"Did you mean {' or '.join(elsewhere)}? " if elsewhere else ""
    spelling = {known.lower(): known for known in MODELS}
    nearest = [spelling[match] for match in difflib.get_close_matches(name.lower(), spelling)]
    suggestion = f"Nearest: {', '.join(nearest)}. " if nearest else ""
    if Path(name).is_dir():
        suggestion = "It is a folder: name the network, and its trained weights with the option for them. "
    if name.endswith(".py"):
        suggestion = f"Of a file name what builds it, {name}:callable. "
    raise ValueError(
        f"there is no network {name!r} in the zoo. {meant}{suggestion}wrn_D_W takes any depth D = 6n + 4 and any "
        f"width W. All names: stillhouse list models"
    )
