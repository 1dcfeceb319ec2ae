"""Places of trained networks."""

from pathlib import Path

import pytest
from torch import nn

from stillhouse.checkpoints import save_weights
from stillhouse.training.teachers.places import about_place, is_place, place_of


def test_a_network_by_name_has_no_place_even_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert place_of("resnet8") is None
    (tmp_path / "resnet8").mkdir()
    (tmp_path / "mine").mkdir()
    assert place_of("resnet8") is None
    assert place_of("mine") == Path("mine")
    assert place_of("resnet8", "mine") == Path("mine")
    (tmp_path / "pretrained").mkdir()
    assert place_of("timm:resnet18", "pretrained") is None


def test_a_path_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no runs/absent.*; give the folder of a finished run"):
        is_place("runs/absent")
    assert not is_place("file.py:net")


def test_the_file_of_a_run_says_what_it_holds(tmp_path: Path) -> None:
    assert about_place(None) == {}
    save_weights(nn.Linear(2, 1), tmp_path / "student.safetensors", {"network": "resnet8"})
    assert about_place(tmp_path) == about_place(tmp_path / "student.safetensors") == {"network": "resnet8"}
