"""The record of what was measured before the first step: typed again, the command goes by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..checkpoints import write_atomically
from ..export.latency import Latency

NAME = "plan.json"


@dataclass(frozen=True)
class Record:
    """Latencies and epochs that were settled by measuring.

    Args:
        machine: Device and threads that measured them.
        latencies: By student.
        epochs: Of the finalists.
        rungs: Number of parts of them after which some candidates are stopped.
        seconds: Estimated duration.
        teacher: Folder of the run that trained the teacher, for a teacher without weights.
    """

    machine: str
    latencies: Mapping[str, Latency]
    epochs: int
    rungs: int
    seconds: float
    teacher: str | None = None

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / NAME, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @staticmethod
    def read(folder: Path) -> Record | None:
        """Return the record of a folder; None if there is none.

        Raises:
            ValueError: If it is damaged.
        """
        path = folder / NAME
        if not path.is_file():
            return None
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            latencies = {str(name): Latency(**value) for name, value in known["latencies"].items()}
            teacher = None if known["teacher"] is None else str(known["teacher"])
            epochs, rungs, seconds = int(known["epochs"]), int(known["rungs"]), float(known["seconds"])
            return Record(str(known["machine"]), latencies, epochs, rungs, seconds, teacher)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is damaged ({error}); remove it to measure again") from error


def folder_of(root: Path, data: str, asked: Mapping[str, object]) -> Path:
    """Return the folder of a choice, named after its data, with a hash of everything that was asked."""
    text = json.dumps(dict(sorted(asked.items())), default=str)
    return root / f"pick-{data}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"
