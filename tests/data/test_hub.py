from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

from stillhouse.data import hub, load
from tests.helpers.pictures import picture, png, write_parquet

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.BaseHTTPRequestHandler):
    """The part of the Hub's interface that listing and downloading needs, for one repository."""

    files: dict[str, bytes]
    served: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self.answer(b"")
        elif path == "/api/datasets/me/birds/tree/main" or path == f"/api/datasets/me/birds/tree/{SHA}":
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in self.files.items()
            ]
            self.answer(json.dumps(tree).encode())
        elif path in ("/api/datasets/me/birds", "/api/datasets/me/birds/revision/main"):
            about = {"id": "me/birds", "sha": SHA, "siblings": [{"rfilename": name} for name in self.files]}
            self.answer(json.dumps(about).encode())
        elif (name := path.partition(f"/resolve/{SHA}/")[2]) in self.files:
            self.served += [name] if self.command == "GET" else []
            self.answer(self.files[name])
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RevisionNotFound" if "/me/birds" in path else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """The files of the repository me/birds on a Hub of our own."""
    Hub.files, Hub.served = {}, []
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        yield Hub.files
        server.shutdown()


def table(tmp_path: Path, first: int, count: int = 6) -> bytes:
    images = [png(picture(first + number)) for number in range(count)]
    write_parquet(tmp_path / "made.parquet", images, [number % 2 for number in range(count)])
    return (tmp_path / "made.parquet").read_bytes()


def test_tables_are_downloaded_and_read_and_scripts_are_not(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    files |= {f"data/{split}-00000-of-00001.parquet": table(tmp_path, n) for n, split in ((0, "train"), (9, "test"))}
    files |= {"birds.py": b"import os", "README.md": b"# Birds", "model.bin": b"\x80"}
    data = load("hf:me/birds", download_to=tmp_path / "store")
    assert (data.name, len(data.train), len(data.test)) == ("birds", 6, 6)
    assert data.source == f"hf:me/birds, commit {SHA[:10]}; test set test"
    assert sorted(Hub.served) == sorted(name for name in files if name.endswith(".parquet"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert load("hf:me/birds", download_to=tmp_path / "store").fingerprint == data.fingerprint  # from the cache


def test_one_of_several_configurations_must_be_named(tmp_path: Path, files: dict[str, bytes]) -> None:
    for number, config in enumerate(("large", "small")):
        for split in ("train", "test"):
            files[f"{config}/{split}-00000-of-00001.parquet"] = table(tmp_path, 20 * number + 10 * (split == "test"))
    with pytest.raises(
        ValueError, match=r"hf:me/birds holds 2 data sets \(large and small\): name one, such as hf:me/b"
    ):
        load("hf:me/birds")
    assert Hub.served == []
    data = load("hf:me/birds/small@main", download_to=tmp_path / "store")
    assert (data.name, data.source) == ("birds-small", f"hf:me/birds, commit {SHA[:10]}; test set test")
    assert all(name.startswith("small/") for name in Hub.served)
    with pytest.raises(ValueError, match=r"me/birds has no folder medium with images; it has large and small"):
        load("hf:me/birds/medium")


def test_folders_of_images_are_read_too(tmp_path: Path, files: dict[str, bytes]) -> None:
    for number in range(8):
        split, name = ("train", "test")[number // 4], ("ant", "bee")[number % 2]
        files[f"{split}/{name}/{number}.png"] = png(picture(number))
    data = load("hf:me/birds", download_to=tmp_path / "store")
    assert (data.name, data.classes, len(data.train), len(data.test)) == ("birds", ("ant", "bee"), 4, 4)


def test_repositories_that_hold_nothing_are_refused(files: dict[str, bytes]) -> None:
    files["birds.py"] = b"import os"
    with pytest.raises(ValueError, match=r"no parquet files, tables or images .* hf:me/birds@refs/convert/parquet"):
        load("hf:me/birds")
    with pytest.raises(ValueError, match=r"me/birds has no revision v9"):
        load("hf:me/birds@v9")
    with pytest.raises(ValueError, match=r"the Hub has no data set you/cats, or it is private"):
        load("hf:you/cats")


def test_without_a_network_there_is_one_sentence_within_seconds(
    files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", MagicMock(side_effect=AssertionError("it waits before it tries again")))
    with pytest.raises(
        ValueError, match=r"hf:me/birds is not in the cache of huggingface_hub, and cannot be downloaded"
    ):
        load("hf:me/birds")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"cannot be downloaded \(HF_HUB_OFFLINE is set\)"):
        load("hf:me/birds")


@pytest.mark.parametrize("name", ["hf:", "hf:birds", "hf:me/", "hf:me/birds@", "hf:me/birds@../x", "hf:me/../birds"])
def test_other_spellings_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not the name of a data set on the Hub: write hf:OWNER/NAME"):
        hub.parse(name)


def test_names_have_a_configuration_and_a_revision() -> None:
    assert hub.parse("hf:me/birds") == hub.HubName("me/birds", "", None)
    whole = hub.parse("hf:me/birds/a/b@refs/convert/parquet")
    assert whole == hub.HubName("me/birds", "a/b", "refs/convert/parquet")
    assert whole.short == "birds-a-b"
    assert whole.commit_of(Path("/cache/snapshots/123/a/b")) == "123"
