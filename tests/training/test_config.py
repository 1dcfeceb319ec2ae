"""Optimisation settings: the schedule of the learning rate, and what is refused."""

import math

import pytest

from stillhouse.training.config import TrainConfig


def test_the_protocol_drops_after_150_180_and_210_of_240_epochs() -> None:
    config = TrainConfig()
    rates = [config.lr_at(epoch) for epoch in range(240)]
    expected = [0.05] * 150 + [0.005] * 30 + [0.0005] * 30 + [0.00005] * 30
    assert rates == pytest.approx(expected, rel=1e-12)


def test_the_protocol_scales_with_the_number_of_epochs() -> None:
    config = TrainConfig(epochs=8)
    assert [config.lr_at(epoch) for epoch in range(8)] == pytest.approx([0.05] * 5 + [0.005, 0.0005, 0.00005])


def test_milestones_may_be_epochs() -> None:
    config = TrainConfig(epochs=100, lr=1.0, milestones=(30, 60), lr_decay=0.2)
    assert [config.lr_at(epoch) for epoch in (0, 29.99, 30, 59, 60, 99)] == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04])


def test_a_milestone_of_one_is_the_first_epoch_and_not_the_last() -> None:
    config = TrainConfig(epochs=100, lr=1.0, milestones=(1.0,), lr_decay=0.2)
    assert [config.lr_at(epoch) for epoch in (0.99, 1, 99)] == [1.0, 0.2, 0.2]


def test_no_milestones_keep_the_rate() -> None:
    assert TrainConfig(milestones=()).lr_at(239) == 0.05


def test_cosine_falls_from_lr_to_zero() -> None:
    config = TrainConfig(epochs=10, lr=0.4, schedule="cosine")
    for epoch in (0, 2.5, 5, 9.75):
        assert config.lr_at(epoch) == pytest.approx(0.2 * (1 + math.cos(math.pi * epoch / 10)))
    assert config.lr_at(10) == pytest.approx(0, abs=1e-12)
    assert config.lr_changes_inside_epochs


def test_warm_up_rises_linearly_to_the_schedule() -> None:
    config = TrainConfig(lr=0.4, lr_warmup=4)
    assert [config.lr_at(epoch) for epoch in (1, 2, 3.5, 4, 10)] == pytest.approx([0.1, 0.2, 0.35, 0.4, 0.4], rel=1e-6)
    assert 0 < config.lr_at(0) < 1e-8  # not 0, with which BatchNorm statistics would move but no parameter
    assert config.lr_changes_inside_epochs
    assert not TrainConfig().lr_changes_inside_epochs


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"epochs": 0}, "--epochs must be from 1 to 1,000,000, not 0"),
        ({"epochs": 10**30}, "--epochs must be from 1 to 1,000,000, not 10+$"),
        ({"batch_size": 1}, r"--batch_size must be from 2 \(BatchNorm needs two images\) to 1,000,000, not 1"),
        ({"lr": 0.0}, "--lr must be positive, not 0"),
        ({"lr": math.nan}, "--lr must be a finite number, not nan"),
        ({"lr": math.inf}, "--lr must be a finite number, not inf"),
        ({"momentum": 1.0}, "--momentum must be at least 0 and below 1, not 1"),
        ({"momentum": math.nan}, "--momentum must be a finite number, not nan"),
        ({"weight_decay": -1e-4}, "--weight_decay must be 0 or more, not -0.0001"),
        ({"lr_decay": math.nan}, "--lr_decay must be a finite number, not nan"),
        ({"lr_warmup": -1.0}, "--lr_warmup must be 0 or more"),
        ({"lr_warmup": 21.0, "epochs": 20}, "--lr_warmup must be at most --epochs .20., not 21"),
        ({"clip_norm": -1.0}, "--clip_norm must be 0 or more"),
        ({"milestones": (0.5, -3.0)}, "--milestones must be whole epochs from 1 on, or fractions of .*, not -3"),
        ({"milestones": (0.0,)}, "--milestones must be .*, not 0"),
        ({"milestones": (30.5,)}, "--milestones must be .*, not 30.5"),
        ({"milestones": (math.nan,)}, "--milestones must be .*, not nan"),
        ({"milestones": (math.inf,)}, "--milestones must be .*, not inf"),
        ({"nesterov": True, "momentum": 0.0}, "--nesterov needs a --momentum above 0"),
        ({"optimizer": "dot", "dot_delta": 0.2}, "--momentum 0.9 plus and minus --dot_delta 0.2 must stay in"),
        ({"optimizer": "dot", "dot_delta": -0.01}, "--dot_delta must be at least 0 and below 1, not -0.01"),
        ({"optimizer": "dot", "dot_delta": math.nan}, "--dot_delta must be a finite number, not nan"),
        ({"optimizer": "dot", "nesterov": True}, "--optimizer dot supports neither --nesterov nor --clip_norm"),
        ({"optimizer": "dot", "clip_norm": 1.0}, "--optimizer dot supports neither --nesterov nor --clip_norm"),
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, float | str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**wrong)  # type: ignore[arg-type] # its options by name
