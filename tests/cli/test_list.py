"""What `stillhouse list` names."""

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
