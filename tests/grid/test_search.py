"""Settings that are proposed by the outcomes of those before."""

import math
import random
import sys

import pytest

from stillhouse.grid.axes import Settings, read_axes
from stillhouse.grid.search import Proposals
from tests.grid.runs import made_up

KINDS = ("full", "half")
AXES = read_axes("lr=0.001..1:log; KD.temperature=1,2,4,8,16; kind=full,half")


def objective(settings: Settings) -> float:
    lr, temperature = float(str(settings["lr"])), float(str(settings["KD.temperature"]))
    return -((math.log10(lr) + 1.3) ** 2) - (math.log2(temperature) - 2) ** 2 - 2 * (settings["kind"] == "half")


def searched(seed: int, trials: int = 24, together: int = 4) -> list[Settings]:
    proposals, found = Proposals(AXES, seed), list[Settings]()
    for _ in range(trials // together):
        batch = [proposals.ask() for _ in range(together)]
        for one in batch:
            proposals.tell(made_up(one, objective(one)))
        found += batch
    return found


def at_random(seed: int) -> float:
    draw = random.Random(seed)
    points = [
        {"lr": 10 ** draw.uniform(-3, 0), "KD.temperature": 2 ** draw.randrange(5), "kind": draw.choice(KINDS)}
        for _ in range(24)
    ]
    return max(map(objective, points))


def test_24_trials_find_at_least_the_best_of_24_random_ones() -> None:
    """For most seeds (82 % of 60 when it was measured), for no estimator beats every lucky draw; and on the average.

    On three smooth objectives with a little noise it was 47 of 60 seeds in batches of 4, and 39 in batches of 8. It
    was no more with 4 random trials at the beginning (40), a quasi-random beginning (43) or one trial at a time (45).
    """
    best = [max(map(objective, searched(seed))) for seed in range(20)]
    of_random = [at_random(seed) for seed in range(20)]
    assert sum(found >= other for found, other in zip(best, of_random, strict=True)) >= 15
    assert sum(best) / 20 >= sum(at_random(seed) for seed in range(400)) / 400


def test_the_same_seed_and_outcomes_lead_to_the_same_trials() -> None:
    assert searched(3, 16) == searched(3, 16)
    assert searched(3, 16) != searched(4, 16)
    assert all(0.001 <= float(str(one["lr"])) <= 1 for one in searched(3, 16))


def test_a_trial_that_failed_is_told() -> None:
    proposals = Proposals(AXES, 0)
    proposals.ask()
    proposals.tell(made_up({}, None))
    assert proposals.ask().keys() == {"lr", "KD.temperature", "kind"}


def test_without_optuna_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ValueError, match=r"pip install 'stillhouse\[search\]'"):
        Proposals(AXES, 0)
