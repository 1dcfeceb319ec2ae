"""The page: complete, and names in it are only names. That it works in a browser was looked at by hand."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from stillhouse.report.compare import compare
from stillhouse.report.page import page
from tests.helpers.finished import CE, KD, record, write_run

STRANGE = "<img src=x onerror=alert(1)>&\"'\u202e"


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, content: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._silent = "", False
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._silent = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._silent else data

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture
def shown(tmp_path: Path) -> Reader:
    methods = [CE, f"{STRANGE}.py:Mine(weight=1.0)"]
    classes = {"classes": [STRANGE, "b", "c"]}
    runs = [record(tmp_path, methods, seed, data=STRANGE, student=STRANGE, result=classes) for seed in (0, 1)]
    runs += [record(tmp_path, seed=seed, data=STRANGE, student=STRANGE, result=classes) for seed in (0, 1)]
    (runs[0].folder / "inspection").mkdir()
    (runs[0].folder / "inspection" / "training.svg").write_text("<svg onload='alert(1)'/>")
    return Reader(page(compare(runs)))


def test_names_are_shown_and_not_run(shown: Reader) -> None:
    pictures = [attributes for tag, attributes in shown.tags if tag == "img"]
    assert [str(one["src"])[:26] for one in pictures] == ["data:image/svg+xml;base64,"]  # inspect's, which runs nothing
    assert shown.count("script") == 1
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)
    assert "<img src=x onerror=alert(1)>&\"'\\u202e" in shown.text
    assert "\u202e" not in shown.text


def test_nothing_is_fetched(shown: Reader) -> None:
    for tag, attributes in shown.tags:
        for name in ("src", "href", "xlink:href"):
            assert str(attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)


def test_all_parts_are_there(shown: Reader) -> None:
    for words in (
        *("each seed", "vs CE", "calibration error %", "negative flips %", "right guesses by confidence", "batch_size"),
        *("Agreement of methods", "Accuracy by class", "What was run", "methods:", "weights"),
    ):
        assert words in shown.text, words
    assert shown.count("svg") == 4
    assert shown.count("table") == 5


def test_runs_of_version_0_1_0_have_a_page_without_what_they_did_not_keep() -> None:
    from stillhouse.report.records import read_records

    kept = read_records([Path(__file__).parents[1] / "runs_of_0_1_0"]).records
    shown = Reader(page(compare(kept)))
    assert "Accuracy by class" not in shown.text
    assert "agrees with teacher %" in shown.text


def test_groups_are_listed_and_many_classes_are_cut(tmp_path: Path) -> None:
    many = {"classes": [f"class {i}" for i in range(1000)]}
    for lr in (0.1, 0.2):
        write_run(tmp_path, [CE, KD], lr=lr, result=many)
    from stillhouse.report.records import read_records

    shown = Reader(page(compare(read_records([tmp_path]).records)))
    assert shown.text.count("pets: resnet56 -> resnet20 (lr 0.1)") == 2
    assert "the 200 of 1,000 classes" in shown.text
