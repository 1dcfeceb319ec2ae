"""The site is built without a warning, and a reader's browser asks nobody else for anything."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "use": "href"}


class Page(HTMLParser):
    """Collects what a page loads, what it links to, and its titles."""

    def __init__(self, path: Path):
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.images_without_words: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.loads += [values[LOADED[tag]]] if LOADED.get(tag, "") in values else []
        self.links += [values["href"]] if tag == "a" and "href" in values else []
        self.images_without_words += [values["src"]] if tag == "img" and not values.get("alt") else []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "--conf-dir", "docs"]
    done = subprocess.run(
        [*command, "--doctree-dir", str(built / "trees"), ".", str(built / "html")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return built / "html"


def pages(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path) for path in sorted(site.rglob("*.html"))}


def test_every_page_of_the_folder_is_on_the_site_and_in_the_list(site: Path) -> None:
    found = pages(site)
    names = {f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    assert names <= found.keys()
    linked = {link.partition("#")[0] for link in found["docs/index.html"].links}
    assert {Path(name).name for name in names} - {"index.html"} <= linked
    assert {"../README.html", "../benchmarks/README.html", "../recipes/README.html"} <= linked


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    elsewhere = {name: [one for one in page.loads if re.match(r"(\w+:)?//", one)] for name, page in pages(site).items()}
    assert {name: found for name, found in elsewhere.items() if found} == {}
    styles = {str(path.relative_to(site)): path.read_text() for path in [*site.rglob("*.css"), *site.rglob("*.svg")]}
    assert [name for name, text in styles.items() if re.search(r"url\(\s*[\"']?(\w+:)?//|@import", text)] == []


def test_links_inside_the_site_lead_somewhere(site: Path) -> None:
    broken = []
    for name, page in pages(site).items():
        for link in {link.partition("#")[0] for link in page.links if not re.match(r"\w+:|#|$", link)} - {""}:
            if not (site / name).parent.joinpath(link).exists():
                broken.append((name, link))
    assert broken == []


def test_every_picture_is_described(site: Path) -> None:
    assert {name: found for name, page in pages(site).items() if (found := page.images_without_words)} == {}


def test_pictures_are_light_and_bring_no_fonts() -> None:
    pictures = list((ROOT / "docs" / "pictures").iterdir())
    assert {path.name for path in pictures} == {"terminal.svg", "training.svg"}
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > 150_000} == {}
    assert [path.name for path in pictures if "@font-face" in path.read_text()] == []
