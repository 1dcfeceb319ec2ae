"""Methods are terms of one sum: any few of them train together, and each is logged by its name."""

import inspect
import random
from dataclasses import replace
from functools import cache
from math import isfinite
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from stillhouse.data import Data, digits, from_arrays
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods.parse import catalogue, parse
from stillhouse.models.resnet import ResNet
from stillhouse.rng import seeded
from stillhouse.taps import Tapped
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import fit
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer

WIDTHS = (8, 8, 16, 24)  # of both networks: some methods want equal ones


def takes(cls: type[Method]) -> type[Method] | None:
    """The kind of method that a wrapper is put around."""
    hints = get_type_hints(cls.__init__)
    return hints.get("base") or next(iter(get_args(hints.get("terms"))), None)


def drawn(lot: random.Random, kind: type[Method] = Method, depth: int = 0) -> str:
    """A method of some kind, with whatever it is put around."""
    known = [name for name, cls in catalogue().items() if issubclass(cls, kind) and not (depth and takes(cls))]
    name = lot.choice(known)
    cls = catalogue()[name]
    arguments = ["warmup_epochs=1"] if "warmup_epochs" in inspect.signature(cls).parameters else []
    wanted = takes(cls)
    if wanted:
        inside = drawn(lot, wanted, depth + 1)
        arguments = [inside if "base" in inspect.signature(cls).parameters else f"[{inside}, {drawn(lot, wanted, 1)}]"]
    return f"{name}({', '.join(arguments)})"


def combinations(count: int) -> list[str]:
    lot = random.Random(3)
    many = (", ".join(drawn(lot) for _ in range(lot.randint(2, 4))) for _ in range(2 * count))
    return [one for one in many if one.count("SimKD") < 2][:count]  # a student is shipped by one method only


@cache
def few() -> Data:
    """Forty digits, five steps an epoch, in two views."""
    whole = digits(Path())
    arrays = replace(
        whole,
        train_images=whole.train_images[:40, ::2, ::2].contiguous(),
        train_labels=whole.train_labels[:40],
        test_images=whole.test_images[:20, ::2, ::2].contiguous(),
        test_labels=whole.test_labels[:20],
    )
    return from_arrays(arrays, batch_size=8, seed=0, strong_view=True)


def trainer(expression: str, folder: Path) -> tuple[Tapped, StudentTrainer]:
    """A teacher, and a student with these methods."""
    with seeded(0, "networks"):
        student, teacher = ResNet(8, 10, WIDTHS), Tapped(ResNet(14, 10, WIDTHS))
    distillation = Distillation(student, teacher, [item.build() for item in parse(expression)], few().info)
    recipe = TrainConfig(epochs=1, batch_size=8, lr=0.01, clip_norm=1.0)
    return teacher, StudentTrainer(distillation, recipe, Run(folder, "combination", {}, {}))


@pytest.mark.parametrize("expression", combinations(20))
def test_any_few_methods_train_together(expression: str, tmp_path: Path) -> None:
    teacher, student = trainer(f"CE, {expression}", tmp_path)
    fit(Classroom(teacher, [student]), few(), "cpu")
    assert len(student.rows) == len(student.phases)
    names, last = list(student.distillation.methods), student.rows[-1]
    assert len(names) == len(parse(expression)) + 1
    assert isfinite(last["loss"])
    assert last["loss"] == pytest.approx(sum(last[name] for name in names))


def test_a_student_is_shipped_by_one_method_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="but another method ships it as a ReusedClassifier; leave one of the two out"):
        trainer("SimKD(), SimKD()", tmp_path)


def test_methods_that_only_train_beforehand_need_others(tmp_path: Path) -> None:
    teacher, student = trainer("FSP(warmup_epochs=1), AB(warmup_epochs=1)", tmp_path)
    with pytest.raises(ValueError, match="phase 'distillation' nothing depends on FSP and AB; add a method"):
        fit(Classroom(teacher, [student]), few(), "cpu")
