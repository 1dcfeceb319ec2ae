"""A step of every recipe, with its networks, methods and training views, on made images: python -m tests.every_recipe

    python -m tests.every_recipe cub200/ tiny_imagenet/    those whose names begin so

Networks are shared by recipes, and recipes with the same networks, methods and views are one. The images are of 32 or
64 px whatever the recipe says, because its networks take any size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import torch

from stillhouse import Distillation, Tapped, network
from stillhouse.batch import Batch
from stillhouse.data import Arrays, Data, LoadOptions, from_arrays
from stillhouse.methods.parse import parse
from stillhouse.report.recipes import published

CLASSES, BATCH = 4, 4
VIEWS = ("crop", "rotation", "mean", "std", "resize")
TRANSFORMERS = ("deit", "swin")  # for images of one size


def made(options: Mapping[str, Any]) -> Data:
    """Noise, shown as the recipe shows its images."""
    size = 224 if _needs_224(options) else 64 if options["data"] in ("cub200", "tiny_imagenet") else 32
    views = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    labels = torch.arange(64) % CLASSES
    pixels = torch.randint(256, (64, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    arrays = Arrays("made", "noise", pixels, labels, pixels[:8], labels[:8], tuple("abcd"))
    chosen: dict[str, Any] = {name: views[name] for name in VIEWS if name in views}
    return from_arrays(arrays, LoadOptions(batch_size=BATCH, strong_view=True).but(**chosen))


def _needs_224(options: Mapping[str, Any]) -> bool:
    return any(kind in str(options["teacher"]) for kind in TRANSFORMERS)


@cache
def net(name: str, size: int, role: str) -> Tapped:
    return Tapped(network(name, CLASSES, size))


def step(options: Mapping[str, Any]) -> None:
    """Take a step of a recipe as far as gradients, which must be finite.

    Raises:
        AssertionError, ValueError: If there is anything wrong with it.
    """
    data = made(options)
    size = data.info.image_size
    student, teacher = (net(str(options[role]), size, role) for role in ("student", "teacher"))
    distillation = Distillation(student, teacher, [spec.build() for spec in parse(str(options["methods"]))], data.info)
    batch: Batch = next(data.train.epoch(0, "cpu"))
    teacher.eval()
    with torch.no_grad():
        seen = teacher(batch.images)
    distillation.zero_grad(set_to_none=True)
    total = sum(distillation(batch, seen).values(), torch.zeros(()))
    total.backward()
    assert total.isfinite(), f"the loss is {float(total)}"
    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert any(bool(gradient.any()) for gradient in gradients), "nothing reaches the student"
    assert all(gradient.isfinite().all() for gradient in gradients), "a gradient is not finite"


def distinct(names: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return recipes that differ in networks, methods or views, by the name of the first of each."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for name in names:
        options = published()[name].options
        what = {key: options.get(key) for key in ("teacher", "student", "methods", *VIEWS)}
        found.setdefault(str(what), (name, options))
    return dict(found.values())


def main(beginnings: list[str]) -> int:
    torch.set_num_threads(1)
    names = [name for name in published() if not beginnings or name.startswith(tuple(beginnings))]
    wrong, began = 0, time.perf_counter()
    chosen = sorted(distinct(names).items(), key=lambda one: (str(one[1]["teacher"]), str(one[1]["student"])))
    for name, options in chosen:
        try:
            step(options)
        except Exception as error:
            wrong += 1
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
    seconds = time.perf_counter() - began
    print(f"{len(chosen)} of {len(names)} recipes took a step, {wrong} could not, {seconds:.0f} s")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
