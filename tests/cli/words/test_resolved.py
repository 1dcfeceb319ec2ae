"""--print_config shows what a command will use, and --config reads it."""

from pathlib import Path

import pytest
import yaml

from tests.helpers.commands import World, contents, done

Capture = pytest.CaptureFixture[str]


def test_a_recipe_is_shown_resolved_and_nothing_is_run(tmp_path: Path, capsys: Capture) -> None:
    recipe = "cifar100/dkd/resnet56-resnet20"
    out = done(capsys, ["distill", "--recipe", recipe, "--lr", "0.3", "--folder", str(tmp_path), "--print_config"])
    shown = yaml.safe_load(out)
    assert (shown["teacher"], shown["student"], shown["lr"]) == ("resnet56", "resnet20", 0.3)
    assert any("DKD(" in method and "temperature=" in method for method in shown["methods"])
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_is_read_by_config(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = world.distill(tmp_path / "runs", "--methods", "CE + KD(temperature=2)", epochs=1)
    first = done(capsys, [*words, "--print_config"])
    (tmp_path / "mine.yaml").write_text(first)
    again = ["distill", "--config", str(tmp_path / "mine.yaml")]
    assert done(capsys, [*again, "--print_config"]) == first
    done(capsys, words)
    before = contents(tmp_path / "runs")
    assert "already trained" in done(capsys, again)
    assert contents(tmp_path / "runs") == before


def test_the_number_of_epochs_that_depends_on_the_data_is_said(capsys: Capture) -> None:
    out = done(capsys, ["train", "--data", "cifar10", "--print_config"])
    assert out.startswith("# epochs: null becomes 240 for these data")
