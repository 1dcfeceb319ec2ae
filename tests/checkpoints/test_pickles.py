"""Pickles of strangers, looked over: what would take for ever is known before it is read."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from stillhouse.checkpoints import load_state, read_weights
from stillhouse.checkpoints.pickles import TooMuch, look_into, look_over

DOUBLED = b"\x80\x02})" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(60)) + b"Ns."


def archive(path: Path, data: bytes, storage: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {"data.pkl": data, "version": b"3\n", "data/0": storage}.items():
            file.writestr(f"archive/{name}", content)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_pass(protocol: int) -> None:
    betas = (0.9, 0.999)
    content = {
        "a": [(1, (2, frozenset([3]))), {4: "x"}, b"y", {5}],
        "groups": [{"betas": betas}] * 50,
        "b": (betas,) * 50,
    }
    look_over(pickle.dumps(content, protocol))


def test_all_files_of_pytorch_pass(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 3)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for is_new in (True, False):
        torch.save([network, optimizer.state_dict()], tmp_path / "a.pth", _use_new_zipfile_serialization=is_new)
        look_into(tmp_path / "a.pth")


def test_a_tuple_that_holds_one_twice_and_so_on_is_refused() -> None:
    with pytest.raises(TooMuch, match="nests tuples more deeply"):
        look_over(DOUBLED)
    with pytest.raises(TooMuch, match="nests tuples more deeply"):
        look_over(io.BytesIO(b"\x80\x02)" + b"".join(b"2\x86" for _ in range(60)) + b"."))  # by DUP


@pytest.mark.parametrize("is_zipped", [True, False])
def test_a_checkpoint_that_would_take_for_ever_is_refused(tmp_path: Path, is_zipped: bool) -> None:
    path = tmp_path / "a.pth"
    archive(path, DOUBLED) if is_zipped else path.write_bytes(DOUBLED)
    with pytest.raises(ValueError, match=r"a\.pth was not read: it nests tuples more deeply"):
        read_weights(path)


def test_a_pickle_alone_is_called_by_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"\x80\x02csubprocess\ngetoutput\n.")
    with pytest.raises(ValueError, match=r"holds more than weights \(subprocess\.getoutput\) and reading it"):
        read_weights(tmp_path / "a.pth")


def test_an_archive_that_unpacks_to_much_more_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.pth", pickle.dumps({}), bytes(1 << 24))
    with pytest.raises(ValueError, match=r"a\.pth was not read: it unpacks to 0\.0168 GB"):
        read_weights(path)
    with pytest.raises(ValueError, match=r"a\.pth is damaged \(TooMuch: it unpacks to"):
        load_state(path)
