from pathlib import Path

from tests.mutants import examine, mutants

SOURCE = '''"""A file of its own."""

def shares(values: list[float], least: float = 0.0) -> list[float]:
    """Return shares that sum to 1."""
    if min(values) < least:
        raise ValueError(f"{len(values) - 1} too small")
    return [value / sum(values) for value in values]
'''


def test_each_mutant_changes_one_place_and_no_message() -> None:
    found = list(mutants(Path("stillhouse/shares.py"), SOURCE))
    assert [mutant.change for mutant in found] == [
        "def shares(values: list[float], least: float = [[0.0 -> (1.0)]]) -> list[float]:",
        "if [[min(values) < least -> (min(values) <= least)]]:",
        "if [[min(values) -> (max(values))]] < least:",
        "return [[[value / sum(values) -> (value * sum(values))]] for value in values]",
        "return [value / [[sum(values) -> (mean(values))]] for value in values]",
    ]
    assert len({mutant.text for mutant in found}) == len(found)


def test_what_no_test_notices_is_reported(tmp_path: Path) -> None:
    (tmp_path / "stillhouse").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "stillhouse/__init__.py").touch()
    (tmp_path / "tests/__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\nfilterwarnings = []\n")
    (tmp_path / "stillhouse/shares.py").write_text(SOURCE)
    (tmp_path / "tests/test_shares.py").write_text(
        "from stillhouse.shares import shares\n\ndef test_shares():\n    assert shares([1, 3]) == [0.25, 0.75]\n"
    )
    said: list[str] = []
    chosen = [mutant for mutant in mutants(Path("stillhouse/shares.py"), SOURCE) if "min" in mutant.change]
    alive = examine(tmp_path, chosen + list(mutants(Path("stillhouse/shares.py"), SOURCE))[-2:-1], [], said.append)
    assert [mutant.change for mutant in alive] == [mutant.change for mutant in chosen]
    assert len(said) == 2
