"""A run's folder: it can be resumed, and its files are written so that no crash can damage them."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import yaml
from torch import nn

from .. import distributed
from ..checkpoints import load_state, save_state, save_weights, write_atomically
from ..report.model_card import FILE as CARD, model_card, write_card
from .predictions import FILE, Predictions
from .run_files import Row, checksum, dump_result, dump_rows, read_result, read_rows
from .teachers.weights_file import MODEL, STUDENT, weights_in
from .trackers.programs import RECORD
from .trackers.tracking import Tracking

MAX_SLUG = 160  # characters; file systems allow 255
_FILES = (
    *("config.yaml", "metrics.jsonl", "state.pt", "result.json", RECORD),
    *(STUDENT, MODEL, "methods.safetensors", "best.safetensors", FILE, CARD),
)
# Names that `write_atomically` gives its temporary files, and no editor its own.
_LEFTOVER = re.compile(rf"\.({'|'.join(map(re.escape, _FILES))})\.[a-z0-9_]{{8}}")

_expected: ContextVar[Path | None] = ContextVar("expected", default=None)  # the run that is to be resumed
_locks: set[int] = set()  # file descriptors of this process


def _close_locks() -> None:
    """Close the locks in a child process, such as one that reads images, which may outlive a killed parent."""
    for lock in _locks:
        os.close(lock)
    _locks.clear()


os.register_at_fork(after_in_child=_close_locks)


@contextmanager
def expected(folder: Path) -> Iterator[None]:
    """Refuse to begin a new run, because the one in this folder is to be resumed."""
    token = _expected.set(folder.resolve())
    try:
        yield
    finally:
        _expected.reset(token)


class Run:
    """The folder of one training. Of several ranks the first one writes; the others read.

        config.yaml           the complete configuration; `--config` repeats it
        metrics.jsonl         one line per epoch, one column per loss term
        state.pt              everything needed to resume; gone when the run is done
        student.safetensors   the trained network after the last epoch; without a teacher model.safetensors
        methods.safetensors   the parameters and buffers of its methods, if they have any
        best.safetensors      the network after its best epoch on the held-out images (validation, if there is one)
        predictions.safetensors  the first guess of the network for each test image
        README.md             a model card: figures, settings, and what is left to fill in
        result.json           the outcome; its presence means that the run is done
        events.*              TensorBoard's files, if it is installed
        tracked.json          names that other trackers have for the run, and the last epoch they got

    Args:
        root: The folder of all runs.
        slug: The beginning of the folder's name.
        identity: Everything that the outcome depends on; its hash ends the folder's name.
        config: The content of `config.yaml`.
        origin: What `result.json` is to say of where the run comes from, such as its teacher.
        by_hash: Use the folder in `root` whose name ends with this hash, whatever it begins with, if there is one.
    """

    def __init__(
        self,
        root: str | Path,
        slug: str,
        identity: Mapping[str, object],
        config: Mapping[str, object] | None = None,
        origin: Mapping[str, object] | None = None,
        by_hash: bool = False,
    ):
        digest = hashlib.blake2b(json.dumps(identity, sort_keys=True, default=str).encode(), digest_size=4).hexdigest()
        self.folder = Path(root) / f"{re.sub(r'[^A-Za-z0-9_.+-]+', '_', slug)[:MAX_SLUG]}-{digest}"
        if by_hash and not self.folder.exists():
            self.folder = next(iter(sorted(Path(root).glob(f"*-{digest}/"))), self.folder)
        self.config, self.origin = dict(config or {}), dict(origin or {})
        self._lock: int | None = None
        self._tracking = Tracking(self.folder, self.config)
        self._is_verified = False
        self._is_new = False  # made by this process, and still empty

    def __enter__(self) -> Run:
        """Reserve the folder for this process while the run lasts.

        Raises:
            ValueError: If another process uses it, or something other than a file is in a file's place.
        """
        if not distributed.is_first():
            return self
        for path in (self.folder / name for name in _FILES):
            if path.exists() and not path.is_file():
                raise ValueError(f"{path} is not a file; move it away, or choose another --folder")
        self._is_new = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_held = os.path.samestat(os.fstat(self._lock), os.stat(self.folder / "lock"))  # not removed meanwhile
        except OSError as error:
            is_held = False
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.ENOENT):
                os.close(self._lock)
                raise
        if not is_held:
            os.close(self._lock)
            self._lock = None
            raise ValueError(
                f"{self.folder} is in use by another process; wait for it, choose another --folder, or, if both "
                "only share a baseline, --baseline false"
            )
        _locks.add(self._lock)
        return self

    def __exit__(self, *_: object) -> None:
        self._tracking.close()
        if self._is_new and self._lock in _locks:
            (self.folder / "lock").unlink(missing_ok=True)
            with suppress(OSError):  # somebody put something else there
                self.folder.rmdir()
        if self._lock in _locks:  # not in a child
            _locks.remove(self._lock)
            os.close(self._lock)
        self._lock = None

    def begin(self) -> None:
        """Write the configuration, and remove temporary files that a killed process left.

        Raises:
            ValueError: If the run was finished but its outcome is gone: training again would replace its student.
        """
        if not distributed.is_first() or self.is_done:
            return
        wanted, is_new = _expected.get(), not (self.folder / "config.yaml").exists()
        if wanted is not None and is_new:
            raise ValueError(
                f"{wanted} cannot be resumed, because its data, code, weights or number of processes have changed "
                f"since: the same options now make another run, {self.folder.name}; to train that, type its command"
            )
        if self.weights.exists() and not (self.folder / "state.pt").exists():
            why = f"is there, but result.json is missing; restore it, or move {self.folder} away to train again"
            raise ValueError(f"{self.weights} {why}")
        self._is_new = False
        for path in self.folder.iterdir():
            if _LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
        write_atomically(self.folder / "config.yaml", yaml.safe_dump(self.config, sort_keys=False).encode())

    @property
    def weights(self) -> Path:
        """The file of the trained network, once the run is done."""
        return weights_in(self.folder)

    @property
    def is_done(self) -> bool:
        """Tell whether there is an outcome.

        Raises:
            ValueError: If there is one but it is damaged.
        """
        if not (self.folder / "result.json").exists():
            return False
        if not self._is_verified:  # reading all weights once is enough
            read_result(self.folder)
            self._is_verified = True
        return True

    @property
    def result(self) -> dict[str, object]:
        return read_result(self.folder)

    def describe(self) -> str:
        """Return a clause about the state from which the run can be resumed."""
        kept = (self.folder / "state.pt").is_file()
        return f"{self.folder} keeps the last good state" if kept else f"nothing is kept in {self.folder} yet"

    def rows(self) -> list[Row]:
        """Return the rows of metrics.jsonl so far."""
        return read_rows(self.folder)

    def save(self, state: Mapping[str, object], rows: Sequence[Row]) -> None:
        """Write a point from which the run can be resumed."""
        if not distributed.is_first():
            return
        write_atomically(self.folder / "metrics.jsonl", dump_rows(rows).encode())
        save_state(self.folder / "state.pt", state)

    def track(self, names: Sequence[str], note: Callable[[str], object]) -> None:
        """Show this run in trackers beside TensorBoard (see `programs.TRACKERS`); `note` is told where one fails."""
        self._tracking = Tracking(self.folder, self.config, names, note)

    def chart(self, row: Row) -> None:
        """Give the numbers of an epoch to TensorBoard, where it is installed, and to other trackers."""
        if distributed.is_first():
            self._tracking.add(row, lambda: self.rows()[: row["epoch"] - 1])

    def load(self) -> dict[str, object] | None:
        """Return the last point saved; None for a new run."""
        path = self.folder / "state.pt"
        return load_state(path) if path.exists() else None

    def save_best(self, model: nn.Module, about: Mapping[str, object]) -> None:
        if distributed.is_first():
            save_weights(model, self.folder / "best.safetensors", about)

    def finish(
        self,
        model: nn.Module,
        about: Mapping[str, object],
        result: Mapping[str, object],
        methods: nn.Module | None = None,
        predictions: Predictions | None = None,
        file: str = STUDENT,
    ) -> None:
        """Write the network, its methods' state, guesses and card, and last the outcome, which marks it as done."""
        if not distributed.is_first():
            return
        save_weights(model, self.folder / file, about)
        if methods is not None and methods.state_dict():
            save_weights(methods, self.folder / "methods.safetensors", {})
        if predictions is not None:
            write_atomically(self.folder / FILE, predictions.to_bytes())
        config = self.folder / "config.yaml"
        known = {"config_hash": checksum(config.read_bytes())} if config.is_file() else {}
        outcome = {**result, **self.origin, **known}
        write_card(self.folder, model_card(outcome, self.config, predictions, file))
        write_atomically(self.folder / "result.json", dump_result(self.folder, outcome))
        (self.folder / "state.pt").unlink(missing_ok=True)
        self._tracking.finish(result, self.rows())
