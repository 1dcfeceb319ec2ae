"""Tables of text: with a header or without, however they are separated."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillhouse.data.readers.text import Roles, read_lines, roles_of


def write(folder: Path, text: str, name: str = "labels.csv", encoding: str = "utf-8") -> Path:
    (folder / name).write_text(text, encoding=encoding)
    return folder / name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("file,label\n1.jpg,cat\n2.jpg,dog\n", "labels.csv"),
        ("\ufefffile,label\r\n1.jpg,cat\r\n2.jpg,dog\r\n", "labels.csv"),
        ("file\tlabel\n1.jpg\tcat\n2.jpg\tdog\n", "labels.tsv"),
        ("file;label\n1.jpg;cat\n2.jpg;dog\n", "labels.csv"),
        ('file, label\n"1.jpg", cat\n\n2.jpg, dog', "labels.csv"),
        ('{"file": "1.jpg", "label": "cat"}\n\n{"file": "2.jpg", "label": "dog"}\n', "metadata.jsonl"),
    ],
)
def test_a_table_is_a_table(tmp_path: Path, text: str, name: str) -> None:
    lines = read_lines(write(tmp_path, text, name))
    assert lines.columns == ("file", "label")
    assert [list(row) for row in lines.rows] == [["1.jpg", "cat"], ["2.jpg", "dog"]]
    assert roles_of(lines) == Roles("file", "label", None, ())


def test_a_header_may_be_lacking(tmp_path: Path) -> None:
    lines = read_lines(write(tmp_path, "a/1.jpg,cat\na/2.jpg,dog\n"))
    assert (lines.columns, len(lines.rows)) == (("1", "2"), 2)
    assert roles_of(lines) == Roles("1", "2", None, ())
    lines = read_lines(write(tmp_path, "cat,a/1.jpg\ndog,a/2.jpg\n"))
    assert roles_of(lines) == Roles("2", "1", None, ())


@pytest.mark.parametrize(
    ("header", "row", "roles"),
    [
        ("id,file_name,class,split", "7,1.jpg,cat,train", Roles("file_name", "class", "split", ())),
        ("image_id,target", "0a1b,3", Roles("image_id", "target", None, ())),
        ("Path,Species", "1.jpg,cat", Roles("Path", "Species", None, ())),
        ("image,width,label,category", "1.jpg,8,cat,animal", Roles("image", "label", None, ("category",))),
        ("photo of it,label", "1.jpg,cat", Roles("photo of it", "label", None, ())),
    ],
)
def test_columns_have_many_names(tmp_path: Path, header: str, row: str, roles: Roles) -> None:
    assert roles_of(read_lines(write(tmp_path, f"{header}\n{row}\n"))) == roles


def test_columns_can_be_named(tmp_path: Path) -> None:
    lines = read_lines(write(tmp_path, "thumbnail,file,label,colour\nt.jpg,1.jpg,cat,red\n"))
    assert roles_of(lines, "thumbnail", "colour") == Roles("thumbnail", "colour", None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "file,age\n1.jpg,3\n",
            r"columns file, age, and none is known to hold classes \(label or class\): .* --label_colu",
        ),
        ("text,label\nhello,3\n", r"columns text, label, and none is known to hold paths of images .* --image_column"),
        ("file,label\n1.jpg,cat\n2.jpg\n", "line 3, has 1 columns, not 2 like the first"),
        ('file,label\n1.jpg,"cat\n', "line 2, cannot be read"),
        ("", "is empty"),
        ("1.jpg,3,4\n2.jpg,4,5\n", "columns 1, 2, 3, and none is known to hold classes"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        roles_of(read_lines(write(tmp_path, text)))


@pytest.mark.parametrize(
    ("line", "said"), [("{", "is not JSON"), ("[" * 100_000, "is not JSON"), ("3", "is not a JSON object")]
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, said: str) -> None:
    text = '{"file_name": "1.jpg", "label": 1}\n' + line
    with pytest.raises(ValueError, match=f"metadata.jsonl, line 2, {said}"):
        read_lines(write(tmp_path, text, "metadata.jsonl"))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "file,label\n1.jpg,caf\u00e9\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"labels.csv is not in UTF-8: save it as CSV in UTF-8"):
        read_lines(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "label," + "x," * 1001 + "\n"), ("a.jsonl", "".join(f'{{"k{n}": 1}}\n' for n in range(1001)))],
)
def test_a_table_of_endless_columns_is_refused(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"{name}, line .*more than 1,000 (columns|different names)"):
        read_lines(write(tmp_path, text, name))
