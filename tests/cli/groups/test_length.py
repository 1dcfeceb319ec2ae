"""Lengths of trainings."""

from dataclasses import replace
from pathlib import Path

from stillhouse.cli.groups.length import EpochOptions
from stillhouse.data import load
from stillhouse.training.config import TrainConfig
from tests.helpers.data import quick_data
from tests.helpers.pictures import write_pictures


def test_default_epochs_depend_on_the_data(tmp_path: Path) -> None:
    def epochs(**changed: str) -> int:
        return EpochOptions().complete(TrainConfig(), replace(quick_data(), **changed)).epochs  # type: ignore[arg-type] # a name

    assert epochs() == TrainConfig.epochs == 240
    assert epochs(name="digits") == 4
    large = load(write_pictures(tmp_path / "large", train=4, size=80), workers=0)
    assert EpochOptions().complete(TrainConfig(), large).epochs == 90
    assert EpochOptions(7).complete(TrainConfig(), large).epochs == 7
