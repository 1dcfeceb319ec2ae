"""What a network expects of its images is known from whoever says it, and nothing is invented."""

from collections.abc import Mapping, Sequence

import pytest

from stillhouse.models.input_spec import IMAGENET, InputSpec, shown
from tests.helpers.data import quick_data

HALF = (0.5, 0.5, 0.5)


def test_a_header_says_it() -> None:
    spec = InputSpec.of_header({"image_size": 48, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]})
    assert spec == InputSpec(48, (0.1, 0.2, 0.3), HALF, "its file")
    assert spec.is_binding


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"image_size": "48", "mean": 0.5, "std": [0.5] * 3},
        {"image_size": True, "mean": [0.5] * 3},
        {"image_size": -3, "mean": [0.5] * 2, "std": [0.5] * 3},
        {"image_size": 10**9, "mean": [0.5] * 3, "std": [0.5, 0.5, 0.0]},
        {"mean": [0.5, 0.5, float("nan")], "std": [0.5] * 3},
        {"mean": ["0.5"] * 3, "std": [0.5] * 3},
    ],
)
def test_a_header_that_says_nothing_that_can_be_says_nothing(about: Mapping[str, object]) -> None:
    assert InputSpec.of_header(about) == InputSpec()


def test_what_is_typed_wins_over_a_file_and_a_file_over_a_library() -> None:
    typed = InputSpec.typed([0.5], [0.5], None, "teacher_")
    header = InputSpec(48, *IMAGENET, "its file")
    library = InputSpec(224, HALF, HALF, "timm", is_certain=False)
    assert typed.or_else(header) == InputSpec(48, HALF, HALF, "the options")
    assert header.or_else(library) == header
    assert InputSpec().or_else(library) == library
    assert InputSpec(size=40, source="the options").or_else(library) == InputSpec(40, HALF, HALF, "the options", False)


@pytest.mark.parametrize(
    ("mean", "std", "size", "sentence"),
    [
        ([0.5], None, None, "--mean needs --std as well"),
        (None, [0.5], None, "--std needs --mean as well"),
        ([0.5, 0.5], [0.5], None, "--mean takes one number or three, not 2"),
        ([123.7], [58.4], None, "--mean must be from 0 to 1, as pixels are, not 123.7; divide by 255"),
        ([0.5], [0.0], None, "--std must be above 0 and at most 1, as pixels are, not 0"),
        (None, None, 0, "--size must be positive, in px, not 0"),
    ],
)
def test_options_that_cannot_be_are_refused(
    mean: Sequence[float] | None, std: Sequence[float] | None, size: int | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        InputSpec.typed(mean, std, size, "")


def test_timms_settings_are_certain_for_its_own_weights_only() -> None:
    settings = {"mean": HALF, "std": HALF, "input_size": (3, 300, 300)}
    assert InputSpec.of_settings(settings, is_pretrained=True) == InputSpec(300, HALF, HALF, "timm")
    assert InputSpec.of_settings(settings, is_pretrained=False) == InputSpec(None, HALF, HALF, "timm", False)
    for nothing in (None, {}, {"mean": None, "std": None}, 3):
        assert InputSpec.of_settings(nothing, is_pretrained=True) == InputSpec()


def test_torchvisions_transforms_are_read() -> None:
    assert InputSpec.of_torchvision("inception_v3", True) == InputSpec(299, *IMAGENET, "torchvision")
    assert InputSpec.of_torchvision("resnet18", False) == InputSpec(None, *IMAGENET, "torchvision", False)
    assert InputSpec.of_torchvision("no_such_net", True) == InputSpec()


def test_a_size_that_a_network_was_only_published_for_is_not_forced_upon_small_images() -> None:
    data = quick_data()
    assert InputSpec(48, source="its file").size_of(data) == 48
    assert InputSpec(224, source="timm").size_of(data) is None


def test_channels_are_shown_for_people() -> None:
    assert shown(HALF) == "0.5"
    assert shown(IMAGENET[0]) == "0.485 0.456 0.406"
