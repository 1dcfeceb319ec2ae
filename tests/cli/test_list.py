"""What `stillhouse list` names."""

import re

import pytest

from stillhouse.__main__ import main
from stillhouse.data import DATASETS
from stillhouse.methods.parse import catalogue
from stillhouse.models import MODELS


def test_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    def listed(*words: str) -> str:
        assert main(["list", *words]) == 0
        return capsys.readouterr().out

    models, data = listed("models"), listed("data")
    assert [name for name in MODELS if f" {name} " not in models] == []
    assert [name for name in DATASETS if f" {name} " not in data] == []
    methods = listed("methods")
    assert [name for name in catalogue() if f" {name} " not in methods] == []
    assert listed() == methods
    assert "Distilling the Knowledge in a Neural Network (Hinton et al." in methods


@pytest.mark.parametrize("columns", ["80", "100", "120"])
@pytest.mark.parametrize("what", ["data", "methods", "models", "recipes"])
def test_words_of_a_list_stay_whole_on_a_narrow_terminal(
    what: str, columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def words(width: str) -> set[str]:
        monkeypatch.setenv("COLUMNS", width)
        assert main(["list", what]) == 0
        lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
        assert max(map(len, lines)) <= int(width)
        return {word for line in lines for word in line.split() if "\u2500" not in word}

    monkeypatch.setenv("FORCE_COLOR", "1")
    assert words(columns) == words("300")
