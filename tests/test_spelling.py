"""Complaints in plain words: the nearest names, and what an option takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from stillhouse.anatomy import Anatomy
from stillhouse.spelling import EXAMPLE, misfit, nearest, nearest_path, printable, rounded, sentence, shortened, wrapped


class Options:
    def __init__(
        self,
        count: int = 1,
        size: int | None = None,
        rate: float = 0.5,
        flag: bool = False,
        places: Sequence[int] = (),
        pair: tuple[float, ...] = (),
        at: str | Sequence[tuple[str, str]] = "stages",
        precision: Literal["float32", "bfloat16"] = "float32",
        anatomy: Anatomy | None = None,
    ):
        pass


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("count", "many", "takes a whole number, not many"),
        ("count", 1.5, "takes a whole number, not 1.5"),
        ("size", "large", "takes a whole number, not large"),
        ("rate", "0,1", "takes a number, not 0,1"),
        ("flag", "perhaps", "takes true or false, not perhaps"),
        ("places", 3, "takes a list, not 3"),
        ("pair", "1,2", "takes a list, not 1,2"),
        ("at", 3, "takes text or a list, not 3"),
        ("precision", "fp8", "takes one of 'float32', 'bfloat16', not fp8"),
        ("anatomy", "layer1", "takes an anatomy such as '{stages: [layer1, layer2], head: fc}', not layer1"),
    ],
)
def test_a_value_of_the_wrong_type_is_explained(name: str, value: object, expected: str) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Options, None)
    with pytest.raises(ArgumentError) as caught:
        parser.parse_object({name: value})
    assert misfit(str(caught.value)) == (name, expected)


def test_other_complaints_are_left_alone() -> None:
    assert misfit("the following arguments are required: model") is None
    assert misfit('Parser key "config":\n  Path is not a file: x') == ("config", "Path is not a file: x")


def test_near_names_are_offered_as_they_are_spelt() -> None:
    assert nearest("resent8", ["resnet8", "vgg8"]) == " Did you mean resnet8?"
    assert nearest("SHUFFLEV3", ["ShuffleV1", "ShuffleV2", "vgg8"]) == " Did you mean ShuffleV2 or ShuffleV1?"
    assert nearest("modle", ["model", "data"], "--") == " Did you mean --model?"
    assert nearest("zebra", ["resnet8", "vgg8"]) == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain \u732b \u00fc", "plain \u732b \u00fc"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x9b2J \x7f \r", r"\x9b2J \x7f \r"),
        ("a\u202egnp.exe", r"a\u202egnp.exe"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
    ],
)
def test_names_cannot_write_to_a_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_a_sentence_is_one_line_however_long_a_word_in_it_is() -> None:
    assert sentence("there is no\nfolder \x1b[2J") == r"there is no folder \x1b[2J"
    long = sentence(f"there is no {'x' * 100_000}y; check it")
    assert long == f"there is no {'x' * 100}...{'x' * 18}y; check it"


def test_lines_of_code_behind_a_sentence_stay_lines() -> None:
    text = f"it is a\ntuple; wrap it, {EXAMPLE}class Wrapped(Net\x1b):\n    def forward(self, images):\n"
    assert sentence(text).splitlines() == [
        *("it is a tuple; wrap it, for example:", "", r"class Wrapped(Net\x1b):", "    def forward(self, images):")
    ]


def test_a_beginning_stands_for_the_whole_name() -> None:
    assert nearest("temp", ["weight", "temperature"]) == " Did you mean temperature?"
    assert nearest("te", ["weight", "temperature"]) == ""


def test_what_is_too_long_for_a_name_has_no_nearest() -> None:
    assert nearest("k" * 100_000, ["kd", "k" * 90]) == ""


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [("resnet8", 7, "resnet8"), ("resnet8 CE+KD+AT", 10, "resn..D+AT"), ("resnet8 CE+KD+AT", 11, "resne..D+AT")],
)
def test_a_long_name_loses_its_middle(text: str, most: int, short: str) -> None:
    assert shortened(text, most) == short
    assert len(short) == most


def test_the_nearest_path_exists_and_is_written_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("runs/digits-resnet8-seed0", "runs/.hidden", "pets/train"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert nearest_path("runs/digits-resnet8") == " (did you mean runs/digits-resnet8-seed0?)"
    assert nearest_path("petz/train") == " (did you mean pets/train?)"
    assert nearest_path("~/petz/train/") == " (did you mean ~/pets/train?)"
    assert nearest_path(f"{tmp_path}/petz") == f" (did you mean {tmp_path}/pets?)"
    assert nearest_path("petz/val") == ""  # pets has no val
    assert nearest_path("runs/elephants/x") == " (the folder runs exists)"
    assert nearest_path("elephants") == nearest_path("pets") == nearest_path("x\0y") == ""
    assert nearest_path("runs/" + "d" * 1000) == ""  # no file can be called so


def test_lines_break_between_words_and_a_long_word_stays_whole() -> None:
    assert wrapped("a path runs/much-longer-than-that is kept\n\n  and more of it", 12) == (
        "a path\nruns/much-longer-than-that\nis kept\n\n  and more\nof it"
    )
    assert wrapped("", 12) == ""
    assert wrapped("two  blanks", 80) == "two  blanks"
    assert wrapped("猫 猫 猫", 5, lambda text: 2 * len(text) - text.count(" ")) == "猫 猫\n猫"


def test_rounded_numbers_are_written_out() -> None:
    assert [rounded(value) for value in (0.00314, 0.9, 476.3, 11234.0)] == ["0.0031", "0.9", "480", "11000"]
