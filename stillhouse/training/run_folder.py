"""A run is a folder, and a folder is resumable: what is in it, written so that no crash can spoil it."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from torch import nn

from .. import distributed
from ..checkpoints import is_complete, load_state, save_state, save_weights, write_atomically

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

MAX_SLUG = 160  # characters; file systems take 255
Row = dict[str, Any]  # a line of metrics.jsonl: names and numbers
_MEASURES = ("epoch", "phase", "lr", "loss", "top1", "top5", "test_loss", "agreement", "seconds")


_locks: set[int] = set()  # file descriptors of this process


def _let_go() -> None:
    """In a child, such as one that reads images: it may outlive a parent that was killed, and shall keep no locks"""
    for lock in _locks:
        os.close(lock)
    _locks.clear()


os.register_at_fork(after_in_child=_let_go)


class Run:
    """One training's folder. Of several ranks the first one writes, the others read.

        config.yaml           the complete configuration; `--config` repeats it
        metrics.jsonl         a line an epoch, a column a loss term
        state.pt              all that is needed to go on; gone when the run is done
        student.safetensors   the network after the last epoch
        methods.safetensors   what its methods learned and counted, if they do
        best.safetensors      the network after the epoch that was best on the test images
        result.json           the outcome; its presence means that the run is done
        events.*              TensorBoard's, when it is installed

    Args:
        root: Where runs are kept.
        slug: What the folder's name begins with.
        identity: Everything that the outcome depends on; its hash ends the folder's name.
        config: What `config.yaml` shall hold.
    """

    def __init__(
        self, root: str | Path, slug: str, identity: Mapping[str, object], config: Mapping[str, object] | None = None
    ):
        digest = hashlib.blake2b(json.dumps(identity, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()
        self.folder = Path(root) / f"{re.sub(r'[^A-Za-z0-9_.+-]+', '_', slug)[:MAX_SLUG]}-{digest}"
        self.config = dict(config or {})
        self._lock: int | None = None
        self._board: SummaryWriter | None = None

    def __enter__(self) -> Run:
        """Takes the folder for this process, for as long as the run lasts.

        Raises:
            ValueError: If another process has it.
        """
        if not distributed.is_first():
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = None
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(
                    f"{self.folder} is in use by another process; wait for it, choose another --folder, or, where it "
                    "is only the baseline of both, --baseline false"
                ) from None
            raise
        _locks.add(self._lock)
        for leftover in self.folder.glob(".*.*"):  # temporary files of a process that was killed while writing
            leftover.unlink(missing_ok=True)
        if not self.is_done:
            write_atomically(self.folder / "config.yaml", yaml.safe_dump(self.config, sort_keys=False).encode())
        return self

    def __exit__(self, *_: object) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None
        if self._lock in _locks:  # not in a child
            _locks.remove(self._lock)
            os.close(self._lock)
        self._lock = None

    @property
    def is_done(self) -> bool:
        return (self.folder / "result.json").is_file()

    @property
    def result(self) -> dict[str, object]:
        return read_result(self.folder)

    def describe(self) -> str:
        """In a clause, what there is to go on from."""
        kept = (self.folder / "state.pt").is_file()
        return f"{self.folder} keeps the last good state" if kept else f"nothing is kept in {self.folder} yet"

    def rows(self) -> list[Row]:
        """What metrics.jsonl holds so far."""
        return read_rows(self.folder)

    def save(self, state: Mapping[str, object], rows: Sequence[Row]) -> None:
        """A point from which the run can go on."""
        if not distributed.is_first():
            return
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.folder / "metrics.jsonl", lines.encode())
        save_state(self.folder / "state.pt", state)

    def chart(self, row: Row) -> None:
        """The numbers of an epoch for TensorBoard, where it is installed."""
        if importlib.util.find_spec("tensorboard") is None or not distributed.is_first():
            return
        epoch = row["epoch"]
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(self.folder, purge_step=epoch)  # what was written behind a lost point goes
        for name, value in row.items():
            if isinstance(value, int | float) and name != "epoch":
                self._board.add_scalar(name.replace(".", "/"), value, epoch)

    def load(self) -> dict[str, object] | None:
        """The last point saved; None for a new run."""
        path = self.folder / "state.pt"
        return load_state(path) if path.is_file() else None

    def save_best(self, model: nn.Module, about: Mapping[str, object]) -> None:
        if distributed.is_first():
            save_weights(model, self.folder / "best.safetensors", about)

    def finish(
        self,
        model: nn.Module,
        about: Mapping[str, object],
        result: Mapping[str, object],
        methods: nn.Module | None = None,
    ) -> None:
        """The run is done: its network, what its methods have learned, and its outcome."""
        if not distributed.is_first():
            return
        save_weights(model, self.folder / "student.safetensors", about)
        if methods is not None and methods.state_dict():
            save_weights(methods, self.folder / "methods.safetensors", {})
        write_atomically(self.folder / "result.json", (json.dumps(result, indent=2) + "\n").encode())
        (self.folder / "state.pt").unlink(missing_ok=True)


def read_rows(folder: Path) -> list[Row]:
    """What a run measured, epoch by epoch."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [_read_json(path, line) for line in lines]


def loss_terms(row: Mapping[str, object]) -> list[str]:
    """The columns that were added up to the loss; METHOD.WHAT is what a method observed."""
    return [name for name in row if name not in _MEASURES and "." not in name]


def read_result(folder: Path) -> dict[str, object]:
    """The outcome of a finished run.

    Raises:
        ValueError: If the folder holds no finished run.
    """
    path = folder / "result.json"
    if not path.is_file():
        why = (
            "is not finished; the command that began it continues it"
            if (folder / "state.pt").is_file()
            else ("holds no run (it has no result.json)")
        )
        raise ValueError(f"{folder} {why}")
    result = _read_json(path, path.read_text())
    if "top1" not in result:
        raise ValueError(f"{path} is damaged (it has no top1); move {folder} away to train it anew")
    if not is_complete(folder / "student.safetensors"):
        raise ValueError(f"{folder / 'student.safetensors'} is missing or cut off; move {folder} away to train it anew")
    return result


def _read_json(path: Path, text: str) -> dict[str, Any]:
    try:
        read: dict[str, Any] = dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); move {path.parent} away to train it anew") from error
    return read
