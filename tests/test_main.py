"""The command before anything heavy is imported."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stillhouse
from stillhouse.__main__ import COMMANDS, main

ROOT = Path(__file__).parent.parent


def python(*words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, env=environment)


def test_help_answers_at_once() -> None:
    """Only the standard library is imported for it, which takes some hundredths of a second."""
    script = (
        "import sys; before = {*sys.modules}\nfrom stillhouse.__main__ import main\nmain(['--help'])\n"
        "found = {name.partition('.')[0] for name in {*sys.modules} - before} - {*sys.stdlib_module_names}\n"
        "print('imported', *sorted(found))"
    )
    *shown, imported = python("-c", script).stdout.splitlines()
    assert imported == "imported stillhouse"
    assert all(any(line.startswith(f"  {command} ") for line in shown) for command in COMMANDS)


def test_public_names_are_imported_when_first_used() -> None:
    for name in dir(stillhouse):
        assert getattr(stillhouse, name).__name__ == name
    assert {"Anatomy", "Batch", "Distillation", "Method", "Outputs", "Tapped"} <= set(dir(stillhouse))
    with pytest.raises(AttributeError, match="module 'stillhouse' has no attribute 'Distilation'"):
        stillhouse.Distilation  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Distilation'"):
        from stillhouse import Distilation  # type: ignore[attr-defined]  # noqa: F401


def test_type_checkers_see_the_same_names() -> None:
    source = (ROOT / "stillhouse" / "__init__.py").read_text()
    assert [name for name in dir(stillhouse) if f" {name} as {name}" not in source] == []


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_in_all_its_spellings(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert out.startswith("usage: stillhouse COMMAND")
    assert err == ""


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stillhouse ")


def test_windows_is_refused_with_a_sentence_and_said_where_it_is_installed_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert main(["train"]) == 2
    assert capsys.readouterr().err.startswith("stillhouse: runs on Linux and macOS only; on Windows use it inside WSL")
    assert main(["--help"]) == 0
    assert "on Linux, macOS, and Windows inside WSL" in (ROOT / "README.md").read_text()
    assert '"Operating System :: POSIX :: Linux"' in (ROOT / "pyproject.toml").read_text()


def test_a_terminal_that_lacks_letters_shows_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(shown, encoding="ascii"))
    assert main(["Fr\u00fcchte\udcff\x1b[31m"]) == 2
    sys.stderr.flush()
    assert shown.getvalue().startswith(rb"stillhouse: there is no command 'Fr\xfcchte\udcff\x1b[31m'. See")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("distil", " Did you mean distill"),
        ("xyz", ""),
        ("--data", ""),
        ("quantize", " Use export --to int8."),
        ("eval", " Use evaluate."),
    ],
)
def test_a_misspelt_command_is_refused(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    assert capsys.readouterr().err.startswith(f"stillhouse: there is no command {word!r}.{hint}")


def test_a_command_imports_no_library_that_only_others_need() -> None:
    slow = {"matplotlib", "optuna", "ray", "scipy", "sklearn", "torchvision"}
    acts = "from stillhouse.cli import parser\nfor command in parser._COMMANDS.values(): command.act()"
    code = f"import sys\n{acts}\nprint({slow} & {{*sys.modules}})"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "set()\n"


def test_help_lists_and_refusals_of_options_do_without_pytorch() -> None:
    helps = [[name, "--help"] for name in COMMANDS]
    lists = [["list", what] for what in ("methods", "models", "data", "recipes")]
    refusals = [["distill", "--lr", "0"], ["train", "--lrr", "0.1"], ["bench", "--seeds", "0"], ["list", "nothing"]]
    refusals += [["distill", "--data", "digts"], ["evaluate", "resnet8", "--data", "digts"], ["plan", "digts"]]
    code = f"""
import contextlib, io, sys
from stillhouse.__main__ import main
slow = {{"torch", "torchvision", "sklearn", "matplotlib", "pyarrow", "numpy", "scipy"}}
for words in [["--version"], ["--help"], *{helps + lists + refusals}]:
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
    assert bool(out.getvalue()) is (code == 0) and bool(err.getvalue()) is (code == 2), words
    assert not slow & {{*sys.modules}}, (words, slow & {{*sys.modules}})
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_needs_no_more_than_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) < 80
