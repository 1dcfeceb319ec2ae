from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse.data.named import fetch as module
from stillhouse.data.named.fetch import Archive, alone, fetch, in_words

CONTENT = bytes(range(256)) * 40


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, from where a client asks; /short breaks off in the middle, /plain knows no ranges."""

    asked: list[str | None]

    def do_GET(self) -> None:
        wanted = self.headers["Range"]
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.path != "/plain" else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + 5000] if self.path == "/short" else CONTENT[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Server.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def archive(url: str, content: bytes = CONTENT) -> Archive:
    return Archive("birds.tgz", url, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def test_a_download_is_made_once_and_said(tmp_path: Path, url: str) -> None:
    said = list[str]()
    path = fetch(archive(f"{url}/whole"), tmp_path, said.append)
    assert path.read_bytes() == CONTENT
    assert fetch(archive(f"{url}/whole"), tmp_path, said.append) == path
    assert Server.asked == [None]
    assert said == [f"downloading {url}/whole (1 MB) to {tmp_path}"]


def test_a_download_that_broke_off_goes_on_where_it_ended(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match=r"birds.tgz could not be downloaded \(it ended after 5,000 of 10,240 bytes"):
        fetch(archive(f"{url}/short"), tmp_path, str)
    assert not (tmp_path / "birds.tgz").exists()
    assert fetch(archive(f"{url}/whole"), tmp_path, str).read_bytes() == CONTENT
    assert Server.asked == [None, "bytes=5000-"]


@pytest.mark.parametrize(("path", "left"), [("plain", 5000), ("whole", len(CONTENT))])
def test_servers_without_ranges_and_whole_parts_begin_again(tmp_path: Path, url: str, path: str, left: int) -> None:
    (tmp_path / ".birds.tgz.part").write_bytes(CONTENT[:left])
    assert fetch(archive(f"{url}/{path}"), tmp_path, str).read_bytes() == CONTENT


def test_another_file_than_the_published_one_is_refused_and_not_kept(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        ValueError, match=r"/whole holds is not the published file: its checksum is sha256:[0-9a-f]{64}"
    ):
        fetch(archive(f"{url}/whole", b"other"), tmp_path, str)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_file_that_is_there_is_checked_once_and_again_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "birds.tgz").write_bytes(CONTENT)
    checked = list[Path]()
    whole = module.checksum

    def counted(path: Path, like: str) -> str:
        checked.append(path)
        return whole(path, like)

    monkeypatch.setattr(module, "checksum", counted)
    for _ in range(2):
        fetch(archive("http://127.0.0.1:9/"), tmp_path, str)
    assert len(checked) == 1
    (tmp_path / "birds.tgz").write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(ValueError, match=r"birds.tgz is damaged or another file than the published one"):
        fetch(archive("http://127.0.0.1:9/"), tmp_path, str)
    assert (tmp_path / "birds.tgz").is_file()  # it is the user's


def test_without_a_network_the_message_says_what_to_fetch(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=rf"birds.tgz could not .* fetch http://127.0.0.1:9/x .*put it into {tmp_path}"
    ):
        fetch(archive("http://127.0.0.1:9/x"), tmp_path, str)


def test_servers_that_do_not_answer_cost_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", -0.9)
    never = threading.Event()
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **more: never.wait())
    with pytest.raises(ValueError, match=r"could not be downloaded \(it does not answer\)"):
        fetch(archive("http://127.0.0.1:9/x"), tmp_path, str)
    never.set()


def test_a_disk_without_room_is_refused_before_the_download(tmp_path: Path) -> None:
    huge = Archive("birds.tgz", "http://127.0.0.1:9/", "md5:0", 1 << 60)
    with pytest.raises(ValueError, match=r"birds.tgz takes 1152921504.6 GB, and .* has .* left: make room"):
        fetch(huge, tmp_path, str)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file/cub200 cannot be written to"), alone(tmp_path / "file" / "cub200"):
        pass


def test_sizes_in_words() -> None:
    assert [in_words(size) for size in (1, 2_600_000, 999_999_999, 5_000_000_000)] == [
        *("1 MB", "3 MB", "1000 MB", "5.0 GB")
    ]
