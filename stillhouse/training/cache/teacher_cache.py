"""The teacher cache: the teacher's outputs for each view of each image, written to disk once and read from then on.

The cache is exact, or it is not used. In eval mode a classifier's outputs for an image do not depend on the rest of the
batch, to the bit, as long as all batches have the same size. So the teacher is run on full batches only, rows are
stored in float32, and a student cannot tell a cached row from a computed one. This property is checked, not assumed:
before the first row is written, with the same images in other positions and beside others; and once an epoch, by
running the teacher on a batch whose rows are cached and comparing. So results do not depend on whether, when or by
which run the cache was filled. An epoch's last, smaller batch is never read from it.

A cache belongs to one teacher's weights, one training set and its views, one way of computing and one batch size. All
of these are in its header, and their hash is in the name of its folder. Each row ends with its checksum and counts only
if that is right. So a process may die while it writes, power may fail, and several processes may write at once: rows
that are incomplete are computed again.

Left out on purpose: fewer bits (half precision would change results), maps and tokens (they would fill any disk),
mapping files into memory (this kills the process on a full disk, or if a file is cut off meanwhile), and deleting
caches that are no longer needed (remove the folder).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...batch import Batch
from ...data import InMemory
from ...taps import Outputs, Tapped
from .table import Numbers, Table, Words

AHEAD = 16  # batches that are looked up together, so that the rows to compute fill whole batches


class TeacherCache:
    """Replaces the teacher: `forward_batch` returns the teacher's outputs, to the bit.

    Args:
        folder: The cache of this teacher on these data; see `store.py`.
        teacher: Computes rows that are missing.
        split: The images and their views.
        widths: Widths of the cached vectors, by the name of the tap, including the logits.
    """

    def __init__(self, folder: Path, teacher: Tapped, split: InMemory, widths: Mapping[str, int]):
        self.folder, self.teacher, self.split = folder, teacher, split
        self.views, self.batch_size = split.num_views or 0, split.batch_size
        self.count = len(split) * self.views
        self.tables = {tap: Table(folder / _file(teacher, tap), self.count, width) for tap, width in widths.items()}
        self.requested = self.hits = 0  # rows, since this process began
        self.refusal: OSError | None = None  # reason for which writing is disabled
        self._is_compared = False  # with the teacher's outputs in this epoch
        self._page = _Page(self, [])

    @property
    def hit_rate(self) -> float:
        """The share of outputs read from the cache since this process began."""
        return self.hits / max(self.requested, 1)

    def describe(self) -> str:
        """Return a line about its use so far."""
        full = f"; writing is disabled ({self.refusal.strerror})" if self.refusal else ""
        return f"teacher cache: {100 * self.hit_rate:.1f} % of {self.requested:,} outputs were read, not computed{full}"

    def prefetch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield an epoch's batches, looked up a few at a time before `forward_batch` needs them."""
        self._is_compared = False
        while some := list(islice(batches, AHEAD)):
            self._page = _Page(self, some)
            try:
                yield from some
            finally:  # stopped or not
                self._page.write()

    @torch.no_grad()
    def forward_batch(self, batch: Batch) -> Outputs:
        """Return the teacher's outputs for a batch."""
        self.requested += len(batch.indices)
        if len(batch.indices) != self.batch_size:
            return self.teacher.forward_batch(batch)
        is_prefetched = batch.step in self._page.places
        page = self._page if is_prefetched else _Page(self, [batch])
        place = page.places[batch.step]
        hits = int(page.stored[place].sum())
        self.hits += hits
        if hits and not self._is_compared:
            self._compare(page, place, self.teacher.forward_batch(batch))
        while len(missing := page.missing(place)):
            page.put(missing, self.compute(page.rows[missing]))
        if not is_prefetched:
            page.write()
        outputs = {tap: values[place].clone() for tap, values in page.values.items()}
        return Outputs(outputs.pop("logits"), outputs, self.teacher)

    def compute(self, rows: Numbers) -> Outputs:
        """Run the teacher on at most a batch of rows, repeated to fill one."""
        numbers = torch.from_numpy(np.resize(rows, self.batch_size)).to(self.split.images.device)
        images = self.split.view(numbers // self.views, numbers % self.views)
        outputs: Outputs = self.teacher(images)
        return outputs

    def read(self, rows: Numbers) -> tuple[dict[str, Words], NDArray[np.bool_]]:
        """(M,) -> the rows of each table, (M, width), and (M,) bool, True for rows that all tables have."""
        found = {tap: table.read(rows) for tap, table in self.tables.items()}
        return {tap: words for tap, (words, _) in found.items()}, np.all([there for _, there in found.values()], axis=0)

    def write(self, rows: Numbers, values: Mapping[str, Tensor]) -> None:
        """Write (M,) rows of (M, width) by tap; once the disk is full, writing is disabled."""
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
        """Compute every view of every image that is missing; yield the number of rows of `count` that exist.

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
                outputs = self.compute(now)
                self.write(now, {tap: outputs[tap][: len(now)] for tap in self.tables})
                if self.refusal:
                    raise self.refusal
                yield int(rows[-1]) + 1 - len(missing)
            yield int(rows[-1]) + 1 - len(missing)

    def _compare(self, page: _Page, place: slice, outputs: Outputs) -> None:
        """Compare rows from the cache with the teacher's outputs for the same batch."""
        known = torch.from_numpy(page.stored[place])
        for tap, values in page.values.items():
            read, live = values[place].cpu()[known], outputs[tap].cpu()[known]
            if not torch.equal(read, live):
                raise ValueError(
                    f"{self.folder} does not hold this teacher's outputs (its {tap} differ by up to "
                    f"{(read - live).abs().max():.1e}); remove that folder, or continue with --teacher_cache off"
                )
        self._is_compared = True


class _Page:
    """A few batches that are looked up together. A place is the slice of rows that belong to one batch."""

    def __init__(self, cache: TeacherCache, batches: Sequence[Batch]):
        self.cache, size = cache, cache.batch_size
        full = [batch for batch in batches if len(batch.indices) == size]
        self.places = {batch.step: slice(size * i, size * (i + 1)) for i, batch in enumerate(full)}
        numbers = [_numbers(batch, cache.views) for batch in full]
        self.rows: Numbers = torch.cat(numbers).cpu().numpy() if numbers else np.arange(0)
        found, self.stored = cache.read(self.rows)  # (M,) bool, in the cache from the start
        device = cache.split.images.device
        self.values = {tap: torch.tensor(words.view(np.float32), device=device) for tap, words in found.items()}
        self.known = self.stored.copy()  # (M,) bool, in the cache or computed

    def missing(self, place: slice) -> Numbers:
        """Return the rows to compute next, at most a batch; empty if this place is complete."""
        if self.known[place].all():
            return np.arange(0)
        return np.flatnonzero(~self.known)[: self.cache.batch_size]

    def put(self, which: Numbers, outputs: Outputs) -> None:
        where = torch.from_numpy(which).to(outputs.logits.device)
        for tap, values in self.values.items():
            values.index_copy_(0, where, outputs[tap][: len(which)])
        self.known[which] = True

    def write(self) -> None:
        """Write the rows that were missing."""
        new = np.flatnonzero(self.known & ~self.stored)
        where = torch.from_numpy(new)
        self.cache.write(self.rows[new], {tap: values[where.to(values.device)] for tap, values in self.values.items()})
        self.stored = self.stored | self.known


def _file(teacher: Tapped, tap: str) -> str:
    return re.sub(r"[^\w.]+", "_", teacher.anatomy.resolve(tap)) + ".rows"


def _numbers(batch: Batch, views: int) -> Tensor:
    """Return the rows of a batch in the tables, (N,)."""
    assert batch.views is not None
    return batch.indices * views + batch.views
