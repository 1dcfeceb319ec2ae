"""Names of folders tell runs apart, and a run is found under whatever name it has."""

from pathlib import Path

import pytest

from stillhouse.cli.words.run_names import NameOptions, name_of_methods
from stillhouse.methods.parse import parse
from tests.helpers.commands import World, contents, done, only, refusal

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("CE, KD", "CE+KD"),
        ("CE(weight=0.5), KD(temperature=2)", "CE_weight0.5+KD_temperature2"),
        ("Standardized(KD(temperature=2))", "Standardized.KD_temperature2"),
        ("SpotAdaptive([KD, AT])", "SpotAdaptive.KD+AT"),
        ("ScaleDecoupled.reference(KD, [1, 2])", "ScaleDecoupled.reference.KD_scales1_2"),
    ],
)
def test_methods_are_named_with_the_arguments_that_were_chosen(typed: str, name: str) -> None:
    assert name_of_methods(parse(typed)) == name


def test_two_temperatures_and_two_rates_have_names_of_their_own(world: World, tmp_path: Path, capsys: Capture) -> None:
    for more in (["--lr", "0.1"], ["--nesterov", "true", "--milestones", "0.5,0.7"]):
        methods = ["--methods", "CE, KD(temperature=2)", "--baseline", "false"]
        done(capsys, world.distill(tmp_path, *methods, *more, epochs=1))
    begins = "pictures-my_nets.py_small-from-my_nets.py_wide-CE+KD_temperature2-seed0-epochs1-batch_size16-"
    names = sorted(path.name.removeprefix(begins).rpartition("-")[0] for path in tmp_path.glob("pictures*"))
    assert names == ["lr0.1", "nesterov-milestones0.5_0.7"]


def test_a_run_is_found_under_an_older_name(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["train", "--model", f"{world.nets}:small", *world.small(tmp_path, 1)]
    done(capsys, words)
    now = only(tmp_path)
    then = now.rename(tmp_path / f"pictures-my_nets.py_small-seed0-{now.name[-8:]}")  # as version 0.1.0 had it
    before = contents(tmp_path)
    for more in ([], ["--name", "first"]):
        assert f"already trained, {then}" in done(capsys, [*words, *more])
    assert contents(tmp_path) == before


def test_a_name_of_ones_own_begins_the_folder(world: World, tmp_path: Path, capsys: Capture) -> None:
    done(capsys, world.distill(tmp_path, "--name", "hot", "--methods", "CE,KD(temperature=8)", epochs=1))
    run = only(tmp_path, "hot-seed0-")
    out = done(capsys, world.distill(tmp_path, "--methods", "CE,KD(temperature=8)", epochs=1))
    assert f"already trained, {run}" in out
    assert len(list(tmp_path.glob("*/result.json"))) == 2  # the baseline keeps its name, and others share it


@pytest.mark.parametrize("name", ["../x", ".x", "-x", "a b", "x" * 101, ""])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="--name must be at most 100 letters"):
        NameOptions(name)


def test_the_sentence_is_that_of_the_command(world: World, tmp_path: Path, capsys: Capture) -> None:
    assert "--name must be" in refusal(capsys, world.distill(tmp_path, "--name", "a/b"))
