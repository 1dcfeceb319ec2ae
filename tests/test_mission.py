"""The table of the mission is true: no cell is empty, every command is one, and the page is the generated one."""

import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.report.recipes import published

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def mission() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "mission.py"))


def test_the_page_is_what_the_recipes_say(mission: dict[str, Any]) -> None:
    assert (ROOT / "docs" / "mission.md").read_text() == mission["text"](), "python docs/generate.py"


def test_no_cell_of_the_five_systems_is_empty(mission: dict[str, Any]) -> None:
    cells = list(mission["cells"]())
    assert [(system.title, data, row.name, pair) for system, data, row, pair, what in cells if not what] == []
    assert len({system.title for system, *_ in cells}) == 5
    found = {(system.title.partition(":")[0], data) for system, data, *_ in cells}
    assert found == {
        *(("DSPP", data) for data in ("cifar100", "tiny_imagenet")),
        *(("SAKD", data) for data in ("cifar100", "tiny_imagenet")),
        *(("SDD", data) for data in ("cifar100", "cub200", "imagenet")),
        *(("SemCKD", data) for data in ("cifar100", "imagenet")),
        *(("PkuDavidGuan/Distillation", data) for data in ("cifar10", "cifar100", "cinic10")),
    }


def test_every_command_is_one_that_the_package_takes(mission: dict[str, Any]) -> None:
    tried: dict[str, str] = {}
    for system, data, row, _, _ in mission["cells"]():
        for line, (pair, *_) in mission["commands"](system, data, row).items():
            tried[line] = pair
    for line, pair in tried.items():
        program, command, *words = shlex.split(line.replace("PAIR", pair))
        assert (program, command) == ("stillhouse", "distill")
        assert parse("distill", Distill, words).distillation.method_specs()
    assert len(tried) > 80


def test_every_recipe_of_the_five_systems_is_on_the_page(mission: dict[str, Any]) -> None:
    """Except for those of others, and second settings of a method."""
    shown = {(data, kind) for _, data, row, _, _ in mission["cells"]() for kind in row.recipes}
    theirs = ("dspp", "+sakd", "@sakd", "sd-kd", "sd-dkd", "sd-nkd", "@sdd", "@semckd", "@guan")
    kinds = {tuple(name.split("/")[:2]) for name in published()}
    missing = {kind for kind in kinds if kind[1].endswith(theirs) and kind not in shown}
    assert missing <= {("cifar100", "hkd_auxiliary@semckd")}
