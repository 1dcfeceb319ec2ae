"""`stillhouse cache`: filled once, read by every distillation after."""

import json
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from stillhouse.__main__ import main
from tests.helpers.commands import World

Capture = pytest.CaptureFixture[str]
KD = ("--methods", "CE,KD", "--baseline", "false")


def words(world: World, folder: Path, *more: str) -> list[str]:
    data = f"--data {world.pictures} --batch_size 16 --device cpu --folder {folder}"
    return ["cache", "--teacher", str(world.teacher), *data.split(), *more]


def student(folder: Path) -> tuple[bytes, dict[str, object]]:
    (run,) = folder.glob("*-from-*")
    return (run / "student.safetensors").read_bytes(), json.loads((run / "result.json").read_text())


def test_what_was_filled_is_read_and_changes_nothing(world: World, tmp_path: Path, capsys: Capture) -> None:
    assert main(words(world, tmp_path / "cached")) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "complete: 7,776 outputs"
    assert main(world.distill(tmp_path / "cached", *KD)) == 0  # auto: it is there, so it is used
    assert "teacher cache: 100.0 % of 96 outputs were read" in capsys.readouterr().out
    assert main(world.distill(tmp_path / "plain", *KD, "--teacher_cache", "off")) == 0
    assert "teacher cache" not in capsys.readouterr().out
    (cached, result), (plain, other) = (student(tmp_path / name) for name in ("cached", "plain"))
    assert cached == plain
    assert result["teacher_cache_hits"] == 1
    assert "teacher_cache_hits" not in other


def test_it_goes_on_where_it_was_left(world: World, tmp_path: Path, capsys: Capture) -> None:
    write, left = os.pwrite, 100

    def interrupted(file: int, content: bytes, offset: int) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return write(file, content, offset)

    with patch("os.pwrite", interrupted):
        assert main(words(world, tmp_path, "--embedding", "true")) == 2
    assert (
        capsys.readouterr().err == "stillhouse: interrupted; run the same command again to resume from the last save\n"
    )
    counted: list[int] = []

    def counting(file: int, content: bytes, offset: int) -> int:
        counted.append(file)
        return write(file, content, offset)

    with patch("os.pwrite", counting), patch("stillhouse.cli.summary.counting.PLAIN_EVERY", 0.0):
        assert main(words(world, tmp_path, "--embedding", "true")) == 0
    assert len(counted) == 2 * 7776 // 16 - 100  # a write for each batch and table
    assert " of 7,776 outputs  0:0" in capsys.readouterr().out
    (folder,) = (tmp_path / "teacher_cache").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["head_in.rows", "header.json", "logits.rows"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            ["--cache_budget", "0.0001"],
            "the outputs of my_nets.py:wide cannot be cached: its outputs may take 0.000124 GB, but only 0.0001 GB are "
            "allowed (--cache_budget)",
        ),
        (
            ["--batch_size", "49"],
            "the outputs of my_nets.py:wide cannot be cached: there are fewer images",
        ),
        (
            ["--teacher", "resnet8"],
            "resnet8 is a network without weights; give its --teacher_weights",
        ),
    ],
)
def test_what_cannot_be_kept_is_said(
    world: World, tmp_path: Path, capsys: Capture, more: list[str], sentence: str
) -> None:
    assert main(words(world, tmp_path, *more)) == 2
    assert capsys.readouterr().err.startswith(f"stillhouse: {sentence}")
    assert not list(tmp_path.iterdir())
