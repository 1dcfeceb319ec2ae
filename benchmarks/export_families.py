"""Export a network of each family and compare the file: python -m benchmarks.export_families [--to pt2] [NAME ...]

Weights are random, and normalisations have seen noise, so that they are no identity. For each network it prints the
share of equal first guesses on 256 images and the largest difference of logits, absolute and relative to the largest
logit, in batches of 1 and of 32, by the gate of `stillhouse export`. The exit code is the number of networks that fail.

With --to int8 labels are the guesses of the network itself, so the drop is the share of guesses that quantisation
changes. A random network has many images near its borders, so this is harder than the gate of a trained one.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from stillhouse.data.arrays import Arrays, from_arrays
from stillhouse.export.export import export
from stillhouse.export.files import SUFFIXES, Kind, open_exported
from stillhouse.export.gate import Verdict, judge
from stillhouse.export.outcome import Order
from stillhouse.export.preprocessing import Preprocessing
from stillhouse.export.student import Student
from stillhouse.export.write import metadata, save_onnx, save_program, save_torchscript, to_onnx
from stillhouse.models.create import network
from stillhouse.models.spec import NetworkSource
from stillhouse.training.teachers.located import Located

NETWORKS = {
    **{"resnet8": 32, "resnet8x4": 32, "ResNet18": 32, "wrn_16_1": 32, "vgg8": 32, "MobileNetV1": 32},
    **{"MobileNetV2": 32, "MobileNetV2_tiny": 32, "ShuffleV1": 32, "ShuffleV2": 32, "shufflenetV2_0.5": 32},
    **{"timm:vit_tiny_patch16_224": 64, "timm:resnet18": 64, "timm:mobilenetv3_small_100": 64},
    **{"timm:efficientnet_b0": 64, "timm:convnext_atto": 64, "torchvision:vit_b_16": 64, "torchvision:resnet18": 64},
    **{"torchvision:mobilenet_v3_small": 64, "torchvision:efficientnet_b0": 64, "torchvision:convnext_tiny": 64},
}
IMAGES, CLASSES, CALIBRATION = 256, 10, 64


def student(name: str, size: int) -> Student:
    """Return a network that has seen noise."""
    model = network(name, CLASSES, size)
    model.train()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _ in range(4):
            model(torch.randn(16, 3, size, size, generator=generator))
        for module in model.modules():
            if isinstance(module, nn.Linear) and module.out_features == CLASSES:
                nn.init.normal_(module.weight, std=0.5, generator=generator)
    steps = Preprocessing(size, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    return Student(model.eval(), name, tuple(map(str, range(CLASSES))), steps, Located(name, NetworkSource(name), {}))


def images(size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield coarse noise, so that no two images are alike to a network, and labels that are not used."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(IMAGES // 32):
        coarse = torch.randint(0, 256, (32, 3, 8, 8), dtype=torch.uint8, generator=generator)
        yield nn.functional.interpolate(coarse, size), torch.zeros(32, dtype=torch.int64)


def write(one: Student, kind: Kind, path: Path) -> None:
    """Write a student's file, which takes normalised images."""
    about = metadata(one, kind, False)
    if kind == "onnx":
        save_onnx(to_onnx(one, False), about, path)
    else:
        (save_program if kind == "pt2" else save_torchscript)(one, False, about, path)


def quantised(one: Student, folder: Path) -> tuple[Verdict, list[str], str]:
    """Export a student to int8 as the command does; return the comparison, its failures and what was quantised."""
    pixels = torch.cat([batch for batch, _ in images(one.steps.size)])
    labels = torch.cat([one.outputs(part).argmax(1) for part in pixels.split(32)])
    shown = pixels.permute(0, 2, 3, 1).contiguous()
    arrays = Arrays("noise", "noise", shown[:CALIBRATION], torch.arange(CALIBRATION) % CLASSES, shown, labels,
                    one.classes, one.steps.mean, one.steps.std)  # fmt: skip
    order = Order("int8", folder, calibration=CALIBRATION, timed=False, overwrite=True)
    outcome = export(one, from_arrays(arrays), order, str)
    layers = len(outcome.left) + len(outcome.details["quantised_layers"])
    return outcome.verdict, outcome.failures, f"{len(outcome.left)} of {layers} layers in float"


def main(names: list[str], kind: Kind, folder: Path) -> int:
    """Print a line for each network, and return the number of those that fail."""
    failed = 0
    for name in names or list(NETWORKS):
        began, one = time.process_time(), student(name, NETWORKS.get(name, 32))
        path, about = folder / f"student{SUFFIXES[kind]}", ""
        if kind == "int8":
            verdict, problems, about = quantised(one, folder)
        else:
            write(one, kind, path)
            verdict = judge(images(one.steps.size), one.outputs, open_exported(path, trust=True).outputs)
            problems = verdict.failures(0.5, is_quantised=False)
        failed += bool(problems)
        print(
            f"{name:32} same {verdict.same_percent:6.2f} %  difference {verdict.difference:.1e}  relative "
            f"{verdict.relative:.1e}  {time.process_time() - began:.0f} s of CPU  {about}  {'; '.join(problems)}",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    import argparse
    import tempfile

    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--to", choices=("onnx", "int8", "pt2", "torchscript"), default="onnx")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        sys.exit(main(asked.names, asked.to, Path(place)))
