"""Data of a user's own: a function in a file or a module, called with what it takes, checked, part of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.data import load
from tests.helpers.networks import quick_net_file

ARRAYS = """
import torch
from stillhouse.data import Arrays, from_arrays, LoadOptions

def arrays(count=40):
    labels = torch.arange(count) % 2
    pixels = (100 * labels[:, None, None, None]).expand(count, 8, 8, 3).to(torch.uint8)
    return Arrays("mine", "nowhere", pixels, labels, pixels[:10].clone(), labels[:10], ("dark", "light"))

"""


def write(folder: Path, function: str) -> str:
    (folder / "my.py").write_text(ARRAYS + function)
    return f"{folder}/my.py:get"


@pytest.mark.parametrize(
    "function",
    [
        "def get(): return arrays()",
        "def get(options): return from_arrays(arrays(), options)",
        "def get(batch_size, seed=7, image_size=None): return from_arrays(arrays(), batch_size=batch_size, seed=seed)",
        "def get(**options): return from_arrays(arrays(), LoadOptions(**options))",
        "get = lambda *args, options: from_arrays(arrays(), options)",
    ],
)
def test_a_function_is_given_what_it_takes(function: str, tmp_path: Path) -> None:
    data = load(write(tmp_path, function), batch_size=4, seed=3)
    assert (data.name, data.classes, len(data.train), data.train.batch_size) == ("mine", ("dark", "light"), 40, 4)
    assert data.train.seed == data.info.seed == 3


def test_a_module_is_named_as_python_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_images").mkdir()
    (tmp_path / "my_images" / "__init__.py").write_text(ARRAYS + "def get(): return arrays()")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert load("my_images:get").name == "mine"


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("get = 3", "my.py:get is a int; name a function that returns a Data or Arrays"),
        ("def get(): return [1]", "my.py:get returns an object of type list, not a stillhouse Data or Arrays"),
        ("def get(where): return arrays()", "my.py:get takes 'where'; it can be given options, batch_size, seed"),
        ("def get(): return 1 / 0", r"my.py:get failed: ZeroDivisionError: division by zero \(.*my.py, line 10\)"),
        ("def get(): raise ValueError('no disk')", "no disk"),
        ("def git(): return 1", r"my.py has no 'get'. Did you mean git"),
        (
            "def get(): return from_arrays(arrays(), batch_size=8)",
            "my.py:get returns data with batch_size 8, not the 4 that was asked for; pass its options on",
        ),
        (
            "def get(batch_size): return from_arrays(arrays(), batch_size=batch_size)",
            "my.py:get returns data with validation none, not the 0.25 that was asked for",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(function: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        load(write(tmp_path, function), batch_size=4, validation=0.25)


def test_a_part_of_the_training_images_is_taken_of_arrays_and_asked_of_data(tmp_path: Path) -> None:
    for function in ("def get(): return arrays()", "def get(options): return from_arrays(arrays(), options)"):
        assert len(load(write(tmp_path, function), train_fraction=0.25).train) == 10
    ignoring = write(tmp_path, "def get(): return from_arrays(arrays())")
    with pytest.raises(ValueError, match=r"my.py:get returns data with train_fraction 1.0, not the 0.25"):
        load(ignoring, train_fraction=0.25)


def test_the_code_and_what_it_imports_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "sizes_of_mine.py").write_text("COUNT = 40\n")
    name = write(tmp_path, "def get():\n    from sizes_of_mine import COUNT\n    return arrays(COUNT)")
    first = load(name).fingerprint
    assert first == load(name).fingerprint
    (tmp_path / "sizes_of_mine.py").write_text("COUNT = 20 + 20\n")
    second = load(name).fingerprint
    write(tmp_path, "def get():\n    from sizes_of_mine import COUNT  # changed\n    return arrays(COUNT)")
    assert len({first, second, load(name).fingerprint}) == 3


def test_a_folder_whose_name_has_a_colon_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    with pytest.raises(ValueError, match="a:b holds nothing; stillhouse reads class folders"):
        load("a:b")


def test_it_trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = write(tmp_path, "def get(options): return from_arrays(arrays(), options)")
    words = [
        "train",
        "--data",
        name,
        "--model",
        f"{quick_net_file(tmp_path)}:small",
        "--folder",
        str(tmp_path / "runs"),
    ]
    words += ["--epochs", "8", "--batch_size", "8", "--device", "cpu"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "mine: 40 training, 10 test images, 8x8 pixels, 2 classes" in out
    assert "100.00" in out
    assert main(words) == 0
    assert "already trained" in capsys.readouterr().out
    write(tmp_path, "def get(options): return from_arrays(arrays(), options)  # changed")
    assert main(words) == 0
    assert "already trained" not in capsys.readouterr().out
