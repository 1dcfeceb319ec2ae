"""The teacher cache: nobody can tell, not by one bit, whether an answer was read or computed."""

import errno
import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from stillhouse.batch import Batch
from stillhouse.data import Data, digits, from_arrays
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import CE, CRD, KD
from stillhouse.models import zoo
from stillhouse.rng import seeded
from stillhouse.taps import Tapped
from stillhouse.training.cache.store import CacheStore, open_cache
from stillhouse.training.cache.table import Numbers
from stillhouse.training.cache.teacher_cache import TeacherCache
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import Stopped, fit
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.processes import exit_code, exit_codes, started
from tests.helpers.training import teacher_net, trainer

BATCH = 12  # 40 images: three batches, and four images more
CONFIG = TrainConfig(epochs=3, batch_size=BATCH, lr=0.05)
READERS = {"logits": "KD", "embedding": "CRD"}


def opened(folder: Path, teacher: Tapped | None = None) -> TeacherCache:
    teacher = teacher or teacher_net()
    teacher.tap(READERS)
    teacher.eval()
    return open_cache(CacheStore(folder, "on"), teacher, READERS, quick_data(BATCH), epochs=1)


def learned(
    folder: Path, store: CacheStore | None, methods: Sequence[Method] = (), others: Sequence[Method] = (), seed: int = 0
) -> StudentTrainer:
    """A student that was taught in a room, of two if there are other methods."""
    teacher = teacher_net()
    one = trainer(methods or [CE(), KD()], teacher, folder, "one", dropout=0.3, config=CONFIG)
    room = [one, trainer(others, teacher, folder, "other", config=CONFIG)] if others else [one]
    fit(Classroom(teacher, room), quick_data(BATCH, seed), "cpu", cache_store=store)
    return one


def few_digits(count: int, batch_size: int, seed: int = 0) -> Data:
    every = digits(Path())
    few = replace(every, train_images=every.train_images[:count], train_labels=every.train_labels[:count])
    return from_arrays(few, batch_size=batch_size, seed=seed)


def kept(one: StudentTrainer) -> tuple[bytes, list[dict[str, object]]]:
    return (one.run.folder / "student.safetensors").read_bytes(), [{**row, "seconds": 0} for row in one.rows]


def hits(one: StudentTrainer) -> float:
    return float(json.loads((one.run.folder / "result.json").read_text())["teacher_cache_hits"])


# Exact


@pytest.mark.parametrize("second", [KD, lambda: CRD(num_negatives=8)], ids=["logits", "embedding"])
def test_a_student_is_the_same_to_the_bit_without_a_cache_with_an_empty_one_and_with_a_full_one(
    tmp_path: Path, second: Callable[[], Method]
) -> None:
    store = CacheStore(tmp_path / "store", "on")
    without = learned(tmp_path / "without", None, [CE(), second()])
    empty = learned(tmp_path / "empty", store, [CE(), second()])
    again = learned(tmp_path / "again", store, [CE(), second()])
    for _ in opened(store.folder).fill():
        pass
    full = learned(tmp_path / "full", store, [CE(), second()])
    in_company = learned(tmp_path / "company", store, [CE(), second()], others=[CE(), KD()])
    assert kept(without) == kept(empty) == kept(again) == kept(full) == kept(in_company)
    assert "teacher_cache_hits" not in without.run.result
    assert hits(empty) < 0.1 < 0.89 < hits(again) == hits(full) == 36 / 40  # the last, smaller batch is asked


class StopsAt(CE):
    """Asks the process to stop after a step."""

    def __init__(self, step: int):
        super().__init__()
        self.step = step

    def after_step(self, batch: Batch) -> None:
        if batch.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("step", [0, 2, 6])
def test_stopped_and_continued_it_ends_with_the_same_bytes(tmp_path: Path, step: int) -> None:
    undisturbed = learned(tmp_path / "undisturbed", None, [StopsAt(-1), KD()])
    store = CacheStore(tmp_path / "store", "on")
    with pytest.raises(Stopped):
        learned(tmp_path / "stopped", store, [StopsAt(step), KD()])
    assert len(rows_of(opened(store.folder), "logits")) >= BATCH  # what was said until then is there
    continued = learned(tmp_path / "stopped", store, [StopsAt(-1), KD()])
    assert kept(continued) == kept(undisturbed)


@pytest.mark.parametrize("name", ["resnet8", "wrn_10_1", "vgg8", "MobileNetV2", "ShuffleV2"])
def test_every_family_of_networks_says_the_same_in_any_company(tmp_path: Path, name: str) -> None:
    data = few_digits(40, batch_size=8)
    with seeded(0, "teacher"):
        teacher = Tapped(zoo(name, 10)).eval().to(memory_format=torch.channels_last)
    teacher.tap(READERS)
    cache = open_cache(CacheStore(tmp_path, "on"), teacher, READERS, data, epochs=1)
    batches = [batch for epoch in range(2) for batch in data.train.epoch(epoch, "cpu")]
    with torch.no_grad():
        live = [teacher.forward_batch(batch) for batch in batches]
    for _ in range(2):
        for outputs, batch in zip(live, cache.prefetch(iter(batches)), strict=True):
            read = cache.forward_batch(batch)
            for tap in READERS:
                assert torch.equal(read[tap], outputs[tap])
                assert read[tap].stride() == outputs[tap].stride()
    assert cache.hit_rate >= 0.5


def test_images_looked_up_one_by_one_have_the_same_outputs(tmp_path: Path) -> None:
    cache, batch = opened(tmp_path), next(quick_data(BATCH).train.epoch(0, "cpu"))
    with torch.no_grad():
        live = cache.teacher.forward_batch(batch)
    for _ in range(2):
        assert torch.equal(cache.forward_batch(batch).logits, live.logits)  # not announced with `prefetch`
    assert (cache.requested, cache.hits) == (2 * BATCH, BATCH)
    read = cache.forward_batch(batch)
    read.logits.zero_()  # a method that spoils what it is given spoils nothing else
    assert torch.equal(cache.forward_batch(batch).logits, live.logits)


def test_on_digits_five_seeds_learn_the_same_with_and_without(tmp_path: Path) -> None:
    with seeded(0, "teacher"):
        teacher = Tapped(QuickNet(num_classes=10, width=8))
    for seed in range(5):
        data = few_digits(160, batch_size=32, seed=seed)
        runs = []
        for store in (None, CacheStore(tmp_path / "store", "on")):
            with seeded(seed, "student"):
                distillation = Distillation(QuickNet(num_classes=10), teacher, [CE(), KD()], data.info)
            run = Run(tmp_path / str(store is None), f"seed{seed}", {}, {})
            runs.append(StudentTrainer(distillation, CONFIG, run))
            fit(Classroom(teacher, runs[-1:]), data, "cpu", cache_store=store)
        assert kept(runs[0]) == kept(runs[1])


# Counted


def test_hits_are_counted_and_misses_fill_whole_batches(tmp_path: Path) -> None:
    teacher = teacher_net()
    asked: list[int] = []
    cache = opened(tmp_path, teacher)
    teacher.register_forward_pre_hook(lambda _, args: asked.append(len(args[0])))
    split, seen, expected, epochs = cache.split, set[tuple[int, int]](), 0, 30
    for epoch in range(epochs):
        for batch in cache.prefetch(split.epoch(epoch, "cpu")):
            cache.forward_batch(batch)
            assert batch.views is not None
            rows = set(zip(batch.indices.tolist(), batch.views.tolist(), strict=True))
            if len(rows) == BATCH:
                expected += len(rows & seen)
                seen |= rows
    assert (cache.requested, cache.hits) == (epochs * 40, expected)
    assert 0.05 < cache.hit_rate < 0.3
    misses = epochs * 36 - expected
    compared = epochs - 1
    assert set(asked) == {BATCH, 4}
    assert asked.count(BATCH) <= misses / BATCH + epochs + compared
    assert (
        cache.describe()
        == f"teacher cache: {100 * expected / (epochs * 40):.1f} % of 1,200 outputs were read, not computed"
    )


def test_each_batch_that_is_written_is_said_and_that_all_is_there_already(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    there = list(cache.fill())
    assert there == sorted(there)
    assert there[:3] == [BATCH, 2 * BATCH, 3 * BATCH]
    with patch.object(cache, "compute", side_effect=AssertionError):
        assert list(cache.fill())[-1] == cache.count


# Whatever happens while it is written


def rows_of(cache: TeacherCache, *taps: str) -> Numbers:
    """Which rows are there; each of them is what the teacher says."""
    there = np.all([cache.tables[tap].read(np.arange(cache.count))[1] for tap in taps or READERS], axis=0)
    rows: Numbers = np.flatnonzero(there)
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        with torch.no_grad():
            outputs = cache.compute(part)
        for tap in taps or READERS:
            read = cache.tables[tap].read(part)[0].view(np.float32)
            assert np.array_equal(read, outputs[tap][: len(part)].numpy())
    return rows


def fill_in_a_process(folder: Path, writes: int | None = None) -> None:
    """Fills a cache; dies by SIGKILL in the midst of a write."""
    cache, write = opened(folder), os.pwrite

    def deadly(file: int, content: bytes, offset: int) -> int:
        nonlocal writes
        if writes is not None:
            writes -= 1
            if writes < 0:
                write(file, content[: len(content) // 2], offset)
                os.kill(os.getpid(), signal.SIGKILL)
        return write(file, content, offset)

    with patch("os.pwrite", deadly):
        for _ in cache.fill():
            pass


def test_killed_while_it_writes_it_holds_nothing_wrong_and_goes_on(tmp_path: Path) -> None:
    there = 0
    for writes in (1, 40, 101):
        assert exit_code(fill_in_a_process, tmp_path, writes) == -signal.SIGKILL
        now = len(rows_of(opened(tmp_path)))
        assert there + BATCH * (writes // 2) <= now <= there + BATCH * (writes // 2 + 1)
        there = now
    cache = opened(tmp_path)
    assert list(cache.fill())[-1] == cache.count == len(rows_of(cache)) == 40 * 81


def test_two_processes_may_write_the_same_rows_at_once(tmp_path: Path) -> None:
    assert exit_codes([started(fill_in_a_process, tmp_path) for _ in range(2)]) == [0, 0]
    cache = opened(tmp_path)
    assert len(rows_of(cache)) == cache.count
    assert len(list(tmp_path.iterdir())) == 1


def test_when_the_disk_is_full_learning_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = learned(tmp_path / "without", None)
    write, writes = os.pwrite, iter(range(1000))

    def full(file: int, content: bytes, offset: int) -> int:
        if next(writes) > 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content[: len(content) // 2], offset) if next(writes) > 15 else write(file, content, offset)

    monkeypatch.setattr(os, "pwrite", full)
    store = CacheStore(tmp_path / "store", "on")
    assert kept(learned(tmp_path / "full", store)) == kept(without)
    cache = opened(store.folder)
    with pytest.raises(OSError, match="No space left on device"):
        for _ in cache.fill():
            pass
    assert cache.describe().endswith("; writing is disabled (No space left on device)")
    assert 0 < len(rows_of(cache, "logits")) < 36


def test_rows_that_the_teacher_does_not_say_are_refused(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for _ in cache.fill():
        pass
    rows = np.arange(cache.count)
    values, _ = cache.read(rows)
    values["logits"].view(np.float32)[:] += 0.5  # as another network's would be, of the same weights
    cache.tables["logits"].write(rows, values["logits"])
    with pytest.raises(ValueError, match=r"quick-\w+ does not hold this teacher's outputs \(its logits differ by"):
        learned(tmp_path / "runs", CacheStore(tmp_path, "on"))
    with pytest.raises(ValueError, match="remove that folder, or continue with --teacher_cache off"):
        learned(tmp_path / "runs", CacheStore(tmp_path))  # auto


def test_every_epoch_is_compared_anew(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for _ in cache.fill():
        pass
    first, second = (cache.prefetch(cache.split.epoch(epoch, "cpu")) for epoch in range(2))
    for batch in first:
        cache.forward_batch(batch)
    with torch.no_grad():
        next(cache.teacher.parameters()).add_(0.1)
    with pytest.raises(ValueError, match="does not hold this teacher's outputs"):
        cache.forward_batch(next(second))
