"""Images with a table beside them that says what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillhouse.data import Data, load
from tests.helpers.pictures import picture, write_folders


def write(root: Path, folder: str, numbers: range, suffix: str = ".png") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(number).save(root / folder / f"{number}{suffix}")
    return root


def table(numbers: range, header: str = "file,label", row: str = "{0}.png,{1}") -> str:
    return "\n".join([header, *(row.format(number, "cat" if number % 2 else "dog") for number in numbers)]) + "\n"


def counts(data: Data) -> tuple[int, int]:
    return len(data.train), len(data.test)


@pytest.mark.parametrize("place", [".", "images", "img"])
@pytest.mark.parametrize("row", ["{0}.png,{1}", "{0},{1}", "./{0}.png,{1}"])
def test_a_table_beside_the_images(tmp_path: Path, place: str, row: str) -> None:
    root = write(tmp_path / "pets", place, range(20))
    (root / "labels.csv").write_text(table(range(20), "id,label", row))
    data = load(root)
    assert (data.classes, sum(counts(data))) == (("cat", "dog"), 20)
    assert data.notes == ()
    assert "about 20% of each class held out as the test set by their names" in data.source
    assert load(root / "labels.csv").fingerprint == data.fingerprint


def test_paths_may_be_absolute_or_of_windows(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", "a", range(10))
    (root / "labels.csv").write_text(table(range(10), row=f"{root}/a/{{0}}.png,{{1}}"))
    one = load(root)
    (root / "labels.csv").write_text(table(range(10), row="a\\{0}.png,{1}"))
    assert load(root).fingerprint == one.fingerprint


def test_tables_of_several_splits(tmp_path: Path) -> None:
    root = write(write(tmp_path, "train", range(6)), "test", range(6, 10))
    (root / "train.csv").write_text(table(range(6)))
    (root / "test.csv").write_text(table(range(6, 10)))
    (root / "sample_submission.csv").write_text(table(range(6, 10)))
    assert counts(load(root)) == (6, 4)


def test_metadata_inside_the_folders_of_splits(tmp_path: Path) -> None:
    root = write(write(tmp_path, "train", range(6)), "val", range(6, 10))
    for split, numbers in (("train", range(6)), ("val", range(6, 10))):
        rows = [json.dumps({"file_name": f"{number}.png", "label": number % 2}) for number in numbers]
        (root / split / "metadata.jsonl").write_text("\n".join(rows))
    data = load(root)
    assert (data.classes, counts(data)) == (("0", "1"), (6, 4))


def test_metadata_in_parquet(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    names = [f"images/{number}.png" for number in range(10)]
    content = pa.table({"file_name": names, "label": ["cat" if number % 2 else "dog" for number in range(10)]})
    pq.write_table(content, root / "metadata.parquet")
    assert load(root).classes == ("cat", "dog")


def test_a_column_may_tell_the_split(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    rows = [f"{i}.png,{i % 2},{'train' if i < 6 else 'Test'}" for i in range(10)]
    (root / "labels.csv").write_text("\n".join(["file,label,split", *rows]))
    assert counts(load(root)) == (6, 4)
    (root / "labels.csv").write_text("\n".join(["file,label,split", *rows, "1.png,1,fold 3"]))
    with pytest.raises(ValueError, match="the column split holds 'fold 3'; it must hold train, val or test"):
        load(root)


def test_numbers_are_classes_in_the_order_of_numbers(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(24))
    (root / "labels.csv").write_text("\n".join(["file,label", *(f"{i}.png,{i % 12}" for i in range(24))]))
    assert load(root).classes == tuple(str(number) for number in range(12))  # 2 before 10
    (root / "labels.csv").write_text("\n".join(["file,label", *(f"{i}.png,{i % 12:02}" for i in range(24))]))
    assert load(root).classes == tuple(f"{number:02}" for number in range(12))


def test_names_that_look_like_nothing_are_names(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(8))
    (root / "labels.csv").write_text("\n".join(["file,label", *(f"{i}.png,{('NA', 'nan')[i % 2]}" for i in range(8))]))
    assert load(root).classes == ("NA", "nan")


def test_images_that_the_table_does_not_name_are_counted(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    (root / "labels.csv").write_text(table(range(8)))
    assert load(root).notes == ("left out 2 images that labels.csv does not name: 8.png and 9.png",)


def test_images_that_are_missing_are_named_at_once(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    (root / "labels.csv").write_text(table(range(12)))
    with pytest.raises(ValueError, match=rf"^2 of 12 images in {root} cannot be read: images/10.png .*images/11.png"):
        load(root)
    assert load(root, skip_broken=True).skipped == 2


def test_rows_without_a_class_are_counted(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    (root / "labels.csv").write_text(table(range(9)) + "9.png,\n")
    assert load(root).notes == ("left out 1 train image of 10 without a label",)


def test_changed_classes_are_other_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillhouse.data.decoded_cache.MANY", 1)
    root = write(tmp_path / "pets", "images", range(10))
    (root / "labels.csv").write_text(table(range(10)))
    first = load(root, download_to=tmp_path / "cache")
    (root / "labels.csv").write_text(table(range(10), row="{0}.png,{1}").replace("0.png,dog", "0.png,cat"))
    assert load(root, download_to=tmp_path / "cache").fingerprint != first.fingerprint


def test_class_folders_with_splits_win_over_a_table(tmp_path: Path) -> None:
    root = write_folders(tmp_path, "train/a", "train/b", "val/a", "val/b", count=2)
    rows = [f"train/{name}/{i}.png,{i}" for name in "ab" for i in range(2)]
    (root / "labels.csv").write_text("\n".join(["file,label", *rows]))
    data = load(root)
    assert data.classes == ("a", "b")
    assert "labels.csv" in data.notes[0]


def test_a_table_that_says_nothing_of_classes_is_none(tmp_path: Path) -> None:
    root = write_folders(tmp_path, "train/a", "train/b", "val/a", "val/b", count=2)
    content = pa.table({"file_name": ["train/a/0.png"], "photographer": ["x"]})
    pq.write_table(content, root / "metadata.parquet")
    assert load(root).classes == ("a", "b")


def test_a_refusal_says_what_is_wrong_with_the_table(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(4))
    (root / "labels.csv").write_text("file,diagnosis\n0.png,x\n")
    with pytest.raises(
        ValueError, match=r"labels.csv has the columns file, diagnosis, and none is known to hold classes"
    ):
        load(root)
    (root / "labels.csv").write_text("file,label\nhttps://example.org/0.png,x\n")
    with pytest.raises(ValueError, match=r"labels.csv holds web addresses: download the images"):
        load(root)
    (root / "labels.csv").write_text("file,label\nelsewhere/0.png,x\n")
    with pytest.raises(
        ValueError, match=r"names images that are not there, such as 'elsewhere/0.png': paths are relative to"
    ):
        load(root)


def test_several_tables_are_named(tmp_path: Path) -> None:
    root = write(tmp_path, "images", range(10))
    for name in ("one.csv", "two.csv"):
        (root / name).write_text(table(range(10)))
    with pytest.raises(
        ValueError, match=rf"several tables of images \(one.csv and two.csv\): .* --data {root}/one.csv"
    ):
        load(root)
    assert sum(counts(load(root / "two.csv"))) == 10


def test_images_of_another_table_are_not_left_out(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", "images", range(20))
    (root / "train.csv").write_text(table(range(14)))
    (root / "test.csv").write_text(table(range(14, 19)))
    assert load(root).notes == ("left out 1 image that no table names: 19.png",)


def test_images_that_are_named_again_are_counted(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", ".", range(20))
    boxes = table(range(20)) + table(range(5)).removeprefix("file,label\n")
    (root / "labels.csv").write_text(boxes)
    data = load(root)
    assert sum(counts(data)) == 25
    assert data.notes == ("5 of 25 rows of labels.csv repeat an image: it counts each time",)


def test_folders_that_say_something_else_than_the_table_are_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "pets", "cat", "dog", count=6)
    rows = [
        f"{folder}/{number}.png,{'old' if number % 2 else folder}" for folder in ("cat", "dog") for number in range(6)
    ]
    (root / "ages.csv").write_text("\n".join(["path,label", *rows]))
    assert load(root).notes == ("the classes are those of ages.csv, not those of the folders cat and dog",)
    same = [f"{folder}/{number}.png,{folder}" for folder in ("cat", "dog") for number in range(6)]
    (root / "ages.csv").write_text("\n".join(["path,label", *same]))
    assert load(root).notes == ()


def test_a_header_in_another_language_is_one(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", ".", range(20))
    (root / "liste.csv").write_text(table(range(20), "Dateiname;Klasse", "{0}.png;{1}"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"has the columns Dateiname, Klasse, and .*--label_column"):
        load(root)
    data = load(root, label_column="Klasse")
    assert (data.classes, sum(counts(data)), data.notes) == (("cat", "dog"), 20, ())


def test_columns_that_the_user_names_make_a_header(tmp_path: Path) -> None:
    root = write(tmp_path / "pets", ".", range(20))
    (root / "liste.csv").write_text(table(range(20), "Nummer;Klasse", "{0};{1}"))
    data = load(root, image_column="Nummer", label_column="Klasse")
    assert (data.classes, sum(counts(data))) == (("cat", "dog"), 20)
