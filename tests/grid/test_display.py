"""A grid while it trains."""

from stillhouse.bench.entries import entries
from stillhouse.bench.plan import cells
from stillhouse.grid.display import GridDisplay
from stillhouse.training.progress import Display
from tests.grid.runs import MadeUp


def test_only_validation_images_are_shown() -> None:
    display = GridDisplay(Display(), "grid: 2 x 3 cells")
    run = MadeUp(40.0, 80.0)
    assert display.score(run) == 40.0
    assert not run.asked


def test_a_full_room_is_one_short_line() -> None:
    display = GridDisplay(Display(), "grid: 2 x 3 cells")
    pair = {"teacher": "resnet56", "student": "resnet20"}
    found = cells([pair], entries("CE, CE + KD, CE + AT, CE + SP, CE + RKD", None), [0], {})
    assert display.describe(found) == "grid: 2 x 3 cells x 1 seed"
    assert display.epoch_of(dict.fromkeys(found[:2], 5.0)) == "validation CE 5.00  CE + KD 5.00"
    top1 = dict(zip(found, (10.0, 30.0, 20.0, 5.0, 30.0), strict=True))
    assert display.epoch_of(top1) == "5 students, validation 5.00 to 30.00 with CE + KD"
