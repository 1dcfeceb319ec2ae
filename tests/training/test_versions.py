"""What a run says of the software that made it."""

import subprocess
from pathlib import Path

import pytest
import torch

from stillhouse.training import versions
from stillhouse.training.versions import commit_of


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package in a checkout with one commit."""
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "code.py").write_text("1")
    git(package.parent, "init", "-q")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "-q", "-m", "first")
    commit_of.cache_clear()
    return package


def test_the_commit_of_a_checkout_is_told(package: Path) -> None:
    assert commit_of(package) == git(package, "rev-parse", "HEAD").strip()


def test_changes_since_are_told(package: Path) -> None:
    (package.parent / "README.md").write_text("beside the package: no matter")
    assert "changes" not in str(commit_of(package))
    commit_of.cache_clear()
    (package / "code.py").write_text("2")
    assert commit_of(package) == f"{git(package, 'rev-parse', 'HEAD').strip()} + changes"


def test_the_commit_of_a_repository_that_only_holds_the_installation_is_not(package: Path) -> None:
    installed = package.parent / "venv" / "site-packages" / "package"
    installed.mkdir(parents=True)
    assert commit_of(installed) is None


def test_without_git_there_is_no_commit(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert commit_of(package) is None


def test_versions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "commit_of", lambda package: "abc")
    told = versions.versions()
    assert told["torch"] == torch.__version__
    assert told["commit"] == "abc"
    assert told["stillhouse"]
