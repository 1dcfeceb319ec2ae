"""Options about networks reach the networks, and those that cannot be are refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from stillhouse.cli.groups.networks import MeasureOptions, NetworkOptions, TeacherOptions
from stillhouse.models.input_spec import InputSpec
from stillhouse.models.spec import NetworkSource
from tests.helpers.data import quick_data

HALF = (0.5, 0.5, 0.5)


def test_what_is_known_of_a_teacher_reaches_it() -> None:
    asked = TeacherOptions([0.5], [0.5], 48, "natural", "state_dict_ema")
    source = asked.source("resnet8", "x.pth", None)
    spec = InputSpec(48, HALF, HALF, "the options")
    assert source == NetworkSource("resnet8", "x.pth", key="state_dict_ema", input=spec, option="teacher_")
    assert asked.for_data(source, quick_data()).classes == ("a", "b", "c", "d")
    assert TeacherOptions().for_data(source, quick_data()) is source


def test_what_is_known_of_a_network_reaches_it(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("d\nc\nb\na\n")
    asked = MeasureOptions([0.1, 0.2, 0.3], [0.5], str(tmp_path / "classes.txt"), "ema")
    source = asked.source("resnet8", "x.pth")
    assert source.input == InputSpec(None, (0.1, 0.2, 0.3), HALF, "the options")
    assert asked.for_data(source, quick_data()).classes == ("d", "c", "b", "a")
    start = NetworkOptions("resnet8", "x.pth", "ema", True).source()
    assert (start.key, start.skip_head) == ("ema", True)


@pytest.mark.parametrize(
    ("mean", "std", "sentence"),
    [
        ([], [0.5], "--teacher_mean takes one number or three, not 0"),
        ([-0.5], [0.5], "--teacher_mean must be from 0 to 1, as pixels are, not -0.5"),
        ([123.7], [0.5], "--teacher_mean must be from 0 to 1, as pixels are, not 123.7; divide by 255"),
        ([0.5], [0.0], "--teacher_std must be above 0 and at most 1, as pixels are, not 0"),
        ([0.5], [58.4], "--teacher_std must be above 0 and at most 1, as pixels are, not 58.4; divide by 255"),
        ([0.5], None, "--teacher_mean needs --teacher_std as well"),
    ],
)
def test_normalisations_that_cannot_be_are_refused(
    mean: Sequence[float], std: Sequence[float] | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        TeacherOptions(mean, std).source("resnet8", None, None)
