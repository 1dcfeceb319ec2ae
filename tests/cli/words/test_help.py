"""Help in plain words: what an option takes, and its default where that says something."""

import re

import pytest

from stillhouse.__main__ import main


@pytest.mark.parametrize("command", ["train", "distill", "evaluate", "cache", "inspect"])
def test_help_names_no_types_of_python(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for word in ("type:", "null)", "Annotated", "Literal", "Optional", "class 'Path'", "print_config", " shall "):
        assert word not in shown


def test_help_says_what_an_option_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["distill", "--help"])
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "--lr LR Learning rate of SGD. (positive, default: 0.05)" in shown
    assert "by default the data's own, or 16 to train on digits. (a whole number) --resize" in shown
    assert "they are fractions of `epochs`. (a list, default: 0.625, 0.75, 0.875)" in shown
    assert (
        "(default: CE(weight=0.1), KD(weight=0.9), for digits CE(weight=0.1), KD(weight=0.9, temperature=2))" in shown
    )
    assert "(0 or more, default: 0.0, for digits 1.0)" in shown
    assert "timm's or torchvision's own. --student" in shown
    assert "(default: false)" in shown


def test_what_must_be_given_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cache", "--help"])
    assert "as for `stillhouse distill`. (required)" in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_data_are_those_of_the_run_where_a_command_takes_them_from_there(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "`package.module:function`. (default: the run's, else digits)" in shown
    assert "or 16 to train on digits. (a whole number, default: the run's, if it has one)" in shown
    assert "refusing the data. (default: the run's, else false)" in shown
    assert "default chosen automatically. (a whole number)" in shown


@pytest.mark.parametrize(("command", "part"), [("grid", "0.1"), ("pick", "0.1"), ("distill", "0.0")])
def test_help_says_how_many_images_choose(command: str, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"unseen until the end. (a number, default: {part})" in re.sub(r"\s+", " ", capsys.readouterr().out)


@pytest.mark.parametrize("columns", ["80", "100"])
def test_no_line_of_help_is_wider_than_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) < int(columns)
