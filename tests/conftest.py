"""For every test: one thread, because the networks are small and tests run side by side, and few steps ahead."""

import pytest
import torch

from stillhouse.plan import timing
from tests.helpers.commands import World, world as world

torch.set_num_threads(1)
timing._SECONDS = 0.0  # of steps from which commands say how long they take: two of each network are enough


@pytest.fixture(autouse=True)
def _in_the_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where a user would, whose networks and runs they are: code that a run names is run only there."""
    if "world" in request.fixturenames:
        found = request.getfixturevalue("world")
        assert isinstance(found, World)
        monkeypatch.chdir(found.root)
