"""Commands to be pasted."""

import shlex

from stillhouse.cli.arguments import named_values, parse
from stillhouse.cli.options.train import Train
from stillhouse.cli.summary.pasted import pasted


def test_a_command_has_its_own_options_and_what_it_would_decide_otherwise() -> None:
    wanted = named_values(
        parse("train", Train, ["--data", "x y", "--lr", "0.2", "--nesterov", "true", "--epochs", "3"])
    )
    typed = {"batch_size": 64, "methods": "KD"}  # the one is the default anyway, the other no option of it
    words = shlex.split(pasted("train", Train, {"model": "vgg8", "weights": None}, wanted, ("nesterov",), typed))
    assert words[:6] == ["stillhouse", "train", "--batch_size", "64", "--model", "vgg8"]
    read = named_values(parse("train", Train, words[2:]))
    assert read == wanted | {"model": "vgg8", "nesterov": False}
    assert "--momentum" not in words


def test_what_suits_the_data_is_told_only_where_something_else_is_wanted() -> None:
    digits = named_values(parse("train", Train, []))
    assert pasted("train", Train, {}, digits) == "stillhouse train"
    assert pasted("train", Train, {}, digits | {"schedule": "steps"}) == "stillhouse train --schedule steps"
