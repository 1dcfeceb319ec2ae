"""What of a user's own code a run depends on."""

import sys
from pathlib import Path

import pytest

from stillhouse.user_code import files_behind


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """net.py, which imports parts of a package around it, in every way there is."""
    files = {
        "net.py": "import torch, parts\nfrom stillhouse import KD\nfrom parts.blocks import Block\nimport absent",
        "parts/__init__.py": "",
        "parts/blocks.py": "from . import sizes\nfrom .deep.er import more",
        "parts/sizes.py": "from .blocks import Block  # a circle",
        "parts/deep/__init__.py": "",
        "parts/deep/er.py": "def later():\n    import lazily",
        "parts/unused.py": "",
        "lazily.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def named(files: list[Path], root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in files]


def test_a_file_and_all_that_it_imports_of_what_is_not_installed(code: Path) -> None:
    expected = ["net.py", "parts/__init__.py", "parts/blocks.py", "parts/sizes.py", "parts/deep/__init__.py"]
    assert named(files_behind(str(code / "net.py")), code) == [*expected, "parts/deep/er.py", "lazily.py"]


def test_a_module_of_a_package_begins_with_the_package(code: Path) -> None:
    assert named(files_behind("parts.deep.er"), code)[:3] == [
        "parts/__init__.py",
        "parts/deep/__init__.py",
        "parts/deep/er.py",
    ]


def test_installed_packages_and_ours_have_no_files_of_a_users_own() -> None:
    assert files_behind("torch.nn.functional") == files_behind("stillhouse.methods.kd") == files_behind("ast") == []


def test_nothing_is_run(code: Path) -> None:
    (code / "lazily.py").write_text("raise SystemExit")
    assert files_behind(str(code / "net.py"))[-1] == code / "lazily.py"
    assert "parts" not in sys.modules
