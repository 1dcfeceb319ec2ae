"""A step of every recipe, with its networks, methods and training views, on made images: python -m tests.every_recipe

    python -m tests.every_recipe cub200/ tiny_imagenet/    those whose names begin so
    python -m tests.every_recipe cifar100/ --slice 2/5     the second of five parts, which share hardly any network
    python -m tests.every_recipe --mission                 the cells of docs/mission.md without a recipe of their own

Networks are shared by recipes, and recipes with the same networks, methods and views are one. The images are of 32 or
64 px whatever the recipe says, because its networks take any size.
"""

from __future__ import annotations

import argparse
import runpy
import sys
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from stillhouse import Distillation, Tapped, network
from stillhouse.batch import Batch
from stillhouse.data import Arrays, Data, LoadOptions, from_arrays
from stillhouse.methods.parse import parse
from stillhouse.report.recipes import published

Options = Mapping[str, Any]
Case = tuple[str, Options]

CLASSES, BATCH = 4, 4
VIEWS = ("crop", "rotation", "mean", "std", "resize")
TRANSFORMERS = ("deit", "swin")  # for images of one size


def made(options: Options) -> Data:
    """Noise, shown as the recipe shows its images."""
    size = side(options)
    views = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    labels = torch.arange(64) % CLASSES
    pixels = torch.randint(256, (64, size, size, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    arrays = Arrays("made", "noise", pixels, labels, pixels[:8], labels[:8], tuple("abcd"))
    chosen: dict[str, Any] = {name: views[name] for name in VIEWS if name in views}
    return from_arrays(arrays, LoadOptions(batch_size=BATCH, strong_view=True).but(**chosen))


def side(options: Options) -> int:
    """Return how many pixels the made images are wide."""
    if any(kind in str(options["teacher"]) for kind in TRANSFORMERS):
        return 224
    return 64 if options["data"] in ("cub200", "tiny_imagenet") else 32


@cache
def net(name: str, size: int, role: str) -> Tapped:
    return Tapped(network(name, CLASSES, size))


def step(options: Options) -> None:
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
        seen = teacher.forward_batch(batch)
    distillation.zero_grad(set_to_none=True)
    total = sum(distillation(batch, seen).values(), torch.zeros(()))
    total.backward()
    assert total.isfinite(), f"the loss is {float(total)}"
    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert any(bool(gradient.any()) for gradient in gradients), "nothing reaches the student"
    assert all(gradient.isfinite().all() for gradient in gradients), "a gradient is not finite"


def distinct(named: Mapping[str, Options]) -> dict[str, Options]:
    """Return recipes that differ in networks, methods or views, by the name of the first of each."""
    found: dict[str, tuple[str, Options]] = {}
    for name, options in named.items():
        what = [side(options), *(options.get(key) for key in ("teacher", "student", "methods", *VIEWS))]
        found.setdefault(str(what), (name, options))
    return dict(found.values())


def of_mission() -> dict[str, Options]:
    """Return the options of the cells that have no recipe: the system's recipe with other methods."""
    mission = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "mission.py"))
    found: dict[str, Options] = {}
    for system, data, row, pair, content in mission["cells"]():
        if mission["recipe_of"](data, row, pair) is None and content:
            schedule = published()[f"{data}/{system.own[data][0]}/{pair}"].options
            found[f"{data}/{row.name}/{pair}"] = {**schedule, "methods": row.methods}
    return found


def part_of(chosen: list[Case], part: str) -> list[Case]:
    """Return one part of several, "2/5", of recipes in the order of their networks."""
    number, many = map(int, part.split("/"))
    first, last = ((one * len(chosen)) // many for one in (number - 1, number))
    return chosen[first:last]


def main(words: list[str]) -> int:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("beginnings", nargs="*")
    parser.add_argument("--slice", default="1/1")
    parser.add_argument("--mission", action="store_true")
    asked = parser.parse_args(words)
    all_of_them = of_mission() if asked.mission else {name: recipe.options for name, recipe in published().items()}
    begins = tuple(asked.beginnings)
    named = {name: options for name, options in all_of_them.items() if not begins or name.startswith(begins)}
    order = sorted(distinct(named).items(), key=lambda one: (str(one[1]["teacher"]), str(one[1]["student"])))
    chosen = part_of(order, asked.slice)
    wrong, began = 0, time.perf_counter()
    for name, options in chosen:
        try:
            step(options)
        except Exception as error:
            wrong += 1
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
    seconds = time.perf_counter() - began
    same = (
        f"; {len(named) - len(order)} of {len(named)} have the same step as another" if len(named) > len(order) else ""
    )
    print(f"{len(chosen) - wrong} of {len(chosen)} took a step, {wrong} could not, {seconds:.0f} s{same}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
