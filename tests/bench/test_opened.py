"""Data and teacher of a room."""

from pathlib import Path

import torch

from stillhouse.bench.opened import opened
from stillhouse.cli.arguments import parse
from stillhouse.cli.distill import Distill
from stillhouse.training.progress import Display
from tests.helpers.commands import World

QUIET = Display(quiet=True)


def test_a_trained_teacher_is_brought_with_the_data(world: World, tmp_path: Path) -> None:
    command = parse("distill", Distill, world.distill(tmp_path, "--teacher_precision", "bfloat16")[1:])
    shared = opened(command, QUIET)
    assert shared.is_trained
    assert shared.teacher is not None
    assert shared.teacher.net.precision == torch.bfloat16
    assert shared.complete(command).run.config.epochs == 2
    assert opened(command, QUIET, needs_teacher=False).teacher is None


def test_a_teacher_without_weights_is_none_yet(world: World, tmp_path: Path) -> None:
    words = world.distill(tmp_path)[1:]
    words[1] = f"{world.nets}:wide"
    shared = opened(parse("distill", Distill, words), QUIET)
    assert (shared.teacher, shared.is_trained) == (None, False)
