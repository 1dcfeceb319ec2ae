"""Hostile files: a few of some 400 kinds, the same each time; and the trial notices what must not happen."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from unittest.mock import patch

import pytest
import torch
import yaml

from stillhouse import user_code
from stillhouse.__main__ import main
from stillhouse.checkpoints import formats
from tests.hostile.kinds import KINDS
from tests.hostile.trial import Ground, Trial

SAMPLE = (
    "image: EPS.jpg",
    "pickle: a key that takes for ever",
    "run: config of inspect with aliases of aliases",
    "table: links to secrets",
    "table: a pipe.parquet",
    "weights: os.system, zipped.pth",
)
UNSAFE = {
    "weights: os.system, zipped.pth": ("os.system", "its code ran"),
    "run: header with code beside it": ("was run",),
    "run: config of inspect with a tag that runs code": ("os.system", "its code ran"),
}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("hostile") / "world")


def test_there_are_more_than_a_hundred_kinds() -> None:
    assert len(KINDS) > 300
    for what in ("image", "pickle", "weights", "table", "run"):
        assert sum(name.startswith(f"{what}: ") for name in KINDS) > 40, what


def test_no_hostile_file_does_harm(ground: Ground) -> None:
    trial = Trial(ground)
    trial.go({name: KINDS[name] for name in SAMPLE}, len(SAMPLE), random.Random(0))
    assert trial.problems == []
    assert trial.happened == {"refused": 5, "read": 1}


def unsafe(words: Sequence[str]) -> int:
    """Run a command that trusts its files."""
    with ExitStack() as stack:
        trusting = lambda path: torch.load(path, weights_only=False)  # noqa: E731
        stack.enter_context(patch.object(formats, "_read_torch", trusting))
        stack.enter_context(patch.object(user_code, "_check_origin", lambda *_: None))
        stack.enter_context(patch.object(yaml, "safe_load", yaml.unsafe_load))
        return main(words)


def test_the_trial_notices_code_that_runs(ground: Ground) -> None:
    trial = Trial(ground, command=unsafe)
    trial.go({name: KINDS[name] for name in UNSAFE}, len(UNSAFE), random.Random(1))
    assert trial.happened == {"WRONG": len(UNSAFE)}
    for name, signs in UNSAFE.items():
        for sign in signs:
            assert any(problem.startswith(name) and sign in problem for problem in trial.problems), (name, sign)
