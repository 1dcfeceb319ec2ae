"""The teacher cache: what the teacher says about each view of each image, written down and read ever after.

Exact, or not used. A classifier in eval mode says the same about an image whatever the batch around it holds, to the
bit, as long as batches have one size: so it is asked in full batches only, rows are kept in float32, and a student
cannot tell a row that was read from one that was just computed. That networks keep to this is checked, not believed:
before the first row is written, with the same images in other places and other company; and once an epoch, when a
batch is asked although its rows are there, and compared with them. Results therefore do not depend on whether, when or
by whom the cache was filled. An epoch's last, smaller batch is always asked.

A cache belongs to one teacher's weights, one training set and its views, one way of computing and one batch size; all
that is in its header, and a hash of it in the name of its folder. Each row ends with its checksum and is there only
when that is right. So a process may die while it writes, power may fail, and several processes may write at once:
whatever is not whole is asked again.

Left out on purpose: fewer bits (half precision would change results), maps and tokens (they fill any disk), and
deleting what is no longer needed (remove the folder).
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batch import Batch
from ..data import InMemory
from ..taps import Outputs, Tapped

AHEAD = 16  # batches that are looked up together, so that those to be asked for fill whole batches

Numbers = NDArray[np.int64]
Words = NDArray[np.uint32]


class Table:
    """(count, width) float32 in a file, mapped into memory, with a checksum behind each row.

    The file has holes where no row was written, so it takes no more of the disk than there are rows.
    """

    def __init__(self, path: Path, count: int, width: int):
        self.width = width
        self._row_bytes = 4 * (width + 1)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        weakref.finalize(self, os.close, self._file)
        size = os.fstat(self._file).st_size
        if size not in (0, count * self._row_bytes):
            raise ValueError(f"{path} was not written for this teacher; remove {path.parent}")
        os.ftruncate(self._file, count * self._row_bytes)
        self._words: Words = np.memmap(path, np.uint32, "r", shape=(count, width + 1))
        self._factors = np.random.PCG64(0).random_raw(width + 1)  # no two alike

    def read(self, rows: Numbers) -> tuple[Words, NDArray[np.bool_]]:
        """(M,) -> (M, width) bits of float32, and (M,) whether they are there"""
        words: Words = self._words[rows]
        return words[:, :-1], words[:, -1] == self._checksums(rows, words[:, :-1])

    def write(self, rows: Numbers, values: Words) -> None:
        """(M,), (M, width); neighbours go in one piece"""
        order = np.argsort(rows)
        rows, values = rows[order], values[order]
        words = np.concatenate([values, self._checksums(rows, values)[:, None]], axis=1)
        for piece in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
            if len(piece):
                os.pwrite(self._file, words[piece].tobytes(), int(rows[piece[0]]) * self._row_bytes)

    def _checksums(self, rows: Numbers, values: Words) -> Words:
        """Of a row's number and its values; odd, so that a hole is no row"""
        sums = values.astype(np.uint64) @ self._factors[1:] + (rows.astype(np.uint64) + 1) * self._factors[0]
        checksums: Words = (sums >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
        return checksums


class TeacherCache:
    """Stands in for the teacher: `forward_batch` says what the teacher would, to the bit.

    Args:
        folder: Of this teacher on these data; see `shelf.py`.
        teacher: Is asked for what is not there.
        split: The images, and how they are viewed.
        widths: Of the vectors to keep, by the name of the tap, the logits among them.
    """

    def __init__(self, folder: Path, teacher: Tapped, split: InMemory, widths: Mapping[str, int]):
        self.folder, self.teacher, self.split = folder, teacher, split
        self.views, self.batch_size = split.num_views or 0, split.batch_size
        self.count = len(split) * self.views
        self.tables = {tap: Table(folder / _file(teacher, tap), self.count, width) for tap, width in widths.items()}
        self.asked = self.hits = 0  # rows, since this process began
        self.refusal: OSError | None = None  # why it takes nothing in any more
        self._is_compared = False  # with the teacher, in this epoch
        self._page = _Page(self, [])

    @property
    def hit_rate(self) -> float:
        """The share of the answers that were read, since this process began."""
        return self.hits / max(self.asked, 1)

    def describe(self) -> str:
        """For people: what it did so far."""
        full = f"; it takes nothing in any more ({self.refusal.strerror})" if self.refusal else ""
        return f"teacher cache: {100 * self.hit_rate:.1f} % of {self.asked:,} answers were read{full}"

    def ahead(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """An epoch's batches, looked up a few at a time before they are `forward_batch`n."""
        self._is_compared = False
        while some := list(islice(batches, AHEAD)):
            self._page = _Page(self, some)
            try:
                yield from some
            finally:  # stopped or not
                self._page.write()

    @torch.no_grad()
    def forward_batch(self, batch: Batch) -> Outputs:
        """What the teacher says about a batch."""
        self.asked += len(batch.indices)
        if len(batch.indices) != self.batch_size:
            return self.teacher.forward_batch(batch)
        is_foreseen = batch.step in self._page.places
        page = self._page if is_foreseen else _Page(self, [batch])
        place = page.places[batch.step]
        hits = int(page.known[place].sum())
        self.hits += hits
        if hits and not self._is_compared:
            self._compare(page, place, self.teacher.forward_batch(batch))
        while len(missing := page.missing(place)):
            page.put(missing, self.ask(page.rows[missing]))
        if not is_foreseen:
            page.write()
        outputs = {tap: values[place].clone() for tap, values in page.values.items()}
        return Outputs(outputs.pop("logits"), outputs, self.teacher)

    def ask(self, rows: Numbers) -> Outputs:
        """What the teacher says about at most a batch of rows, asked in a full one."""
        numbers = torch.from_numpy(np.resize(rows, self.batch_size)).to(self.split.images.device)  # repeats them
        images = self.split.view(numbers // self.views, numbers % self.views)
        outputs: Outputs = self.teacher(images)
        return outputs

    def read(self, rows: Numbers) -> tuple[dict[str, Words], NDArray[np.bool_]]:
        """(M,) -> what each table holds, and (M,) whether all of them do"""
        found = {tap: table.read(rows) for tap, table in self.tables.items()}
        return {tap: words for tap, (words, _) in found.items()}, np.all([there for _, there in found.values()], axis=0)

    def write(self, rows: Numbers, values: Mapping[str, Tensor]) -> None:
        """(M,), (M, width) by tap; once the disk is full nothing is written any more"""
        if self.refusal or not len(rows):
            return
        try:
            for tap, table in self.tables.items():
                table.write(rows, values[tap].cpu().numpy().view(np.uint32))
        except OSError as error:
            error.filename = str(self.folder)
            self.refusal = error

    @torch.no_grad()
    def fill(self) -> Iterator[int]:
        """Asks for every view of every image that is not there yet; says how many of `count` are there.

        Raises:
            OSError: If the disk is full.
        """
        missing, many = np.arange(0), AHEAD * self.batch_size
        for start in range(0, self.count, many):
            rows = np.arange(start, min(start + many, self.count))
            missing = np.concatenate([missing, rows[~self.read(rows)[1]]])
            is_last = rows[-1] == self.count - 1
            while len(missing) >= self.batch_size or (is_last and len(missing)):
                now, missing = missing[: self.batch_size], missing[self.batch_size :]
                outputs = self.ask(now)
                self.write(now, {tap: outputs[tap][: len(now)] for tap in self.tables})
                if self.refusal:
                    raise self.refusal
                yield int(rows[-1]) + 1 - len(missing)
            yield int(rows[-1]) + 1 - len(missing)

    def _compare(self, page: _Page, place: slice, outputs: Outputs) -> None:
        """What was read with what the teacher says."""
        known = torch.from_numpy(page.known[place])
        for tap, values in page.values.items():
            read, live = values[place].cpu()[known], outputs[tap].cpu()[known]
            if not torch.equal(read, live):
                raise ValueError(
                    f"{self.folder} does not hold what this teacher says (its {tap} differ by up to "
                    f"{(read - live).abs().max():.1e}); remove that folder, or go on with --teacher_cache off"
                )
        self._is_compared = True


class _Page:
    """A few batches that are looked up together. A place is a batch's part of the rows."""

    def __init__(self, cache: TeacherCache, batches: Sequence[Batch]):
        self.cache, size = cache, cache.batch_size
        full = [batch for batch in batches if len(batch.indices) == size]
        self.places = {batch.step: slice(size * i, size * (i + 1)) for i, batch in enumerate(full)}
        numbers = [_numbers(batch, cache.views) for batch in full]
        self.rows: Numbers = torch.cat(numbers).cpu().numpy() if numbers else np.arange(0)
        found, self.known = cache.read(self.rows)  # (M,) whether it was there to begin with
        device = cache.split.images.device
        self.values = {tap: torch.tensor(words.view(np.float32), device=device) for tap, words in found.items()}
        self.is_answered = self.known.copy()

    def missing(self, place: slice) -> Numbers:
        """The rows to ask for next, a batch of them at most; none if this place is complete."""
        if self.is_answered[place].all():
            return np.arange(0)
        return np.flatnonzero(~self.is_answered)[: self.cache.batch_size]

    def put(self, which: Numbers, outputs: Outputs) -> None:
        where = torch.from_numpy(which).to(outputs.logits.device)
        for tap, values in self.values.items():
            values.index_copy_(0, where, outputs[tap][: len(which)])
        self.is_answered[which] = True

    def write(self) -> None:
        """Keeps what was not there."""
        new = np.flatnonzero(self.is_answered & ~self.known)
        where = torch.from_numpy(new)
        self.cache.write(self.rows[new], {tap: values[where.to(values.device)] for tap, values in self.values.items()})
        self.known = self.known | self.is_answered


def _file(teacher: Tapped, tap: str) -> str:
    return re.sub(r"[^\w.]+", "_", teacher.anatomy.resolve(tap)) + ".rows"


def _numbers(batch: Batch, views: int) -> Tensor:
    """(N,) where in the tables a batch's answers are"""
    assert batch.views is not None
    return batch.indices * views + batch.views
