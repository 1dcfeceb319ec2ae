"""Names of options in other code bases lead to options and methods that exist here."""

import re
from dataclasses import fields

import pytest

from stillhouse.cli.arguments import option_groups
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.train import Train
from stillhouse.cli.words.former_names import OPTIONS
from stillhouse.methods.parse import parse

KNOWN = {field.name for command in (Distill, Train) for group in option_groups(command) for field in fields(group)}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_offered_exists(name: str) -> None:
    assert name == name.lower().replace("-", "_")
    assert set(re.findall(r"--(\w+)", OPTIONS[name])) <= {*KNOWN, "config"}
    for methods in re.findall(r"""--methods ('[^']*'|"[^"]*")""", OPTIONS[name]):
        assert parse(methods[1:-1])


def test_no_option_of_ours_is_said_to_be_anothers() -> None:
    assert not KNOWN & set(OPTIONS)
