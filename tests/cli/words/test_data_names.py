"""Names of data sets, without an import of PyTorch."""

from pathlib import Path

import pytest

from stillhouse.cli.words.data_names import data_sets, refuse_misspelt
from stillhouse.data import DATASETS, load


def test_the_names_are_those_of_the_data_sets_in_their_order() -> None:
    assert [one.arguments("name")["name"] for one in data_sets()] == list(DATASETS)


@pytest.mark.parametrize("data", ["digts", "Cifar-100", "qqqq"])
def test_a_misspelt_name_is_refused_as_where_data_are_loaded(data: str) -> None:
    with pytest.raises(ValueError, match="there is no data set or folder called") as early:
        refuse_misspelt(data)
    with pytest.raises(ValueError, match="there is no data set or folder called") as late:
        load(data)
    assert str(early.value) == str(late.value)


def test_what_may_be_data_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for data in (*DATASETS, "folder", "hf:someone/pets", "my_data.py:function", "/no/where", "~/pets", "./digts"):
        refuse_misspelt(data)
