"""`stillhouse predict`: the classes that training measured, on a terminal, as CSV and as JSON lines."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from stillhouse.__main__ import main
from stillhouse.data.image_folder import find
from stillhouse.training.predictions import read_predictions
from tests.helpers.commands import World, done, only, refusal
from tests.helpers.kinds_of_images import write_kinds
from tests.helpers.pictures import picture

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("size", [[], ["--image_size", "72", "--resize", "pad"], ["--image_size", "72"]])
def test_classes_and_probabilities_are_those_that_the_run_measured(
    world: World, tmp_path: Path, capsys: Capture, size: list[str]
) -> None:
    pictures, runs = world.pictures, world.runs
    if size:
        pictures, runs = write_kinds(tmp_path / "images"), tmp_path / "runs"
        words = ["train", "--model", f"{world.nets}:small", *world.small(runs, 1), *size, "--data", str(pictures)]
        done(capsys, words)
    known = read_predictions(run := only(runs))
    assert known is not None
    files = [str(path) for path in find(pictures).test]
    out = done(capsys, ["predict", str(run), *files, "--format", "jsonl", "--top", "9"])
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["image"] for one in found] == files
    assert [one["class"] for one in found] == [("ant", "bee", "cat")[guess] for guess in known.guesses.tolist()]
    assert [one["probability"] for one in found] == pytest.approx(known.confidence.tolist(), abs=1e-5)
    assert all(len(one["top"]) == 3 for one in found)


def test_the_formats_say_the_same(world: World, tmp_path: Path, capsys: Capture) -> None:
    words = ["predict", str(world.teacher), str(world.pictures / "val"), "--top", "2", "--device", "cpu"]
    table = done(capsys, words).splitlines()
    lines = [json.loads(line) for line in done(capsys, [*words, "--format", "jsonl"]).splitlines()]
    printed = done(capsys, [*words, "--format", "csv"])
    assert "24 images in" in done(capsys, [*words, "-o", str(tmp_path / "found.csv")])
    assert (tmp_path / "found.csv").read_text() == printed
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert len(table) - 1 == len(lines) == len(rows) == 24
    for line, one, row in zip(table[1:], lines, rows, strict=True):
        first, second = one["top"]
        assert (row["image"], row["class"], row["class_2"]) == (one["image"], first["class"], second["class"])
        assert float(row["probability_2"]) == pytest.approx(second["probability"], rel=1e-4)
        assert line.split() == [
            *(one["image"], first["class"], f"{100 * first['probability']:.2f}", "%"),
            *(second["class"], f"{100 * second['probability']:.2f}", "%"),
        ]


def test_images_that_cannot_be_read_are_counted_and_end_with_code_1(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = shutil.copy(world.pictures / "val" / "ant" / "0.png", tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no image")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{good}\n{tmp_path}/gone.png\n"))
    assert main(["predict", str(world.teacher), str(tmp_path / "bad.png"), "-", "--format", "csv"]) == 1
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["class"] for row in rows] == ["", "ant", ""]
    assert [bool(row["problem"]) for row in rows] == [True, False, True]
    assert err.count("unreadable: ") == 2
    assert "2 of 3 images could not be read" in err
    assert main(["predict", str(world.teacher), str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith(str(good))


def test_a_narrow_table_keeps_the_names_of_images_whole(
    world: World, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillhouse.training.progress._PLAIN_WIDTH", 80)
    names = [str(tmp_path / f"IMG_2026080{n}_142500_edited_for_the_album.png") for n in range(3)]
    for name in names:
        shutil.copy(world.pictures / "val" / "ant" / "0.png", name)
    heading, *rows = done(capsys, ["predict", str(world.teacher), *names, "--top", "3"]).splitlines()
    assert max(map(len, rows)) <= 80
    assert heading.split() == ["image", "class", "probability", "class", "2", "class", "3"]
    width = heading.index("class")
    assert "".join(row[:width].strip() for row in rows) == "".join(names)


def test_an_image_that_decodes_to_garbage_gets_no_class(world: World, tmp_path: Path, capsys: Capture) -> None:
    """Zeros in the middle of a JPEG, which no decoder complains of and training refuses."""
    picture(1, 300).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[:20_000] + bytes(4096) + content[24_096:])
    assert main(["predict", str(world.teacher), str(tmp_path), "--format", "jsonl"]) == 1
    out, err = capsys.readouterr()
    whole, damaged = map(json.loads, out.splitlines())
    assert whole["class"] in ("ant", "bee", "cat")
    reason = f"{tmp_path / 'b.jpg'} has 4,096 bytes in its middle that were never written: get it again"
    assert damaged == {"image": str(tmp_path / "b.jpg"), "problem": reason}
    assert f"unreadable: {reason}" in err


def test_what_cannot_be_done_is_refused(world: World, tmp_path: Path, capsys: Capture) -> None:
    image, run = str(world.pictures / "val" / "ant" / "0.png"), str(world.teacher)
    assert "there is no file or folder nix.png" in refusal(capsys, ["predict", run, "nix.png"])
    assert "takes --format csv or jsonl" in refusal(capsys, ["predict", run, image, "-o", str(tmp_path / "x.txt")])
    assert "is a folder; give a file" in refusal(capsys, ["predict", run, image, "-o", str(tmp_path)])
    assert "there is no folder" in refusal(capsys, ["predict", run, image, "-o", str(tmp_path / "no" / "x.csv")])
    assert "--top must be at least 1" in refusal(capsys, ["predict", run, image, "--top", "0"])
    assert "does not say how its images were made" in refusal(capsys, ["predict", "resnet8", image, "--weights", image])
