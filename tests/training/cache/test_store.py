"""Whether there is a teacher cache, whose it is, and what is said where there is none."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from stillhouse.data import Data, Folder
from stillhouse.method import Method
from stillhouse.methods import AT, CE, KD
from stillhouse.taps import Tapped
from stillhouse.training.cache.store import CacheStore, CacheUnavailable, open_cache
from stillhouse.training.cache.teacher_cache import TeacherCache
from stillhouse.training.classroom import Classroom
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.training import BatchStatistics, teacher_net, trainer

LOGITS = {"logits": "KD"}


def opened(
    folder: Path,
    teacher: Tapped | None = None,
    data: Data | None = None,
    use: Literal["auto", "on"] = "on",
    epochs: int = 1,
    budget: float | None = None,
) -> TeacherCache:
    store, teacher = CacheStore(folder, use, budget), (teacher or teacher_net()).eval()
    return open_cache(store, teacher, LOGITS, data or quick_data(), epochs)


# Whose it is


def other_weights() -> Tapped:
    teacher = teacher_net()
    with torch.no_grad():
        next(teacher.parameters()).mul_(1.001)
    return teacher


def other_statistics() -> Tapped:
    teacher = teacher_net()
    teacher.model.stage2[1].num_batches_tracked.add_(1)  # type: ignore[union-attr, index]
    return teacher


@pytest.mark.parametrize(
    "other",
    [
        lambda folder: opened(folder, other_weights()),
        lambda folder: opened(folder, other_statistics()),
        lambda folder: opened(folder, data=quick_data(images=44)),
        lambda folder: opened(folder, data=quick_data(batch_size=9)),
        lambda folder: opened(folder, data=quick_data(validation=0.5)),
        lambda folder: opened(folder, data=replace(quick_data(), mean=(0.5, 0.5, 0.5))),
        lambda folder: opened(folder, data=quick_data(crop="reflected")),
        lambda folder: opened(folder, data=quick_data(crop="none")),
    ],
    ids=["weights", "buffers", "images", "batch size", "validation", "normalisation", "borders", "no crop"],
)
def test_another_teacher_or_other_data_have_a_cache_of_their_own(
    tmp_path: Path, other: Callable[[Path], TeacherCache]
) -> None:
    first = opened(tmp_path)
    assert opened(tmp_path).folder == first.folder == opened(tmp_path, data=quick_data(seed=1)).folder
    assert other(tmp_path).folder != first.folder


def test_another_number_of_threads_has_a_cache_of_its_own(tmp_path: Path) -> None:
    folder, threads = opened(tmp_path).folder, torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert opened(tmp_path).folder != folder
    finally:
        torch.set_num_threads(threads)


def test_another_precision_has_a_cache_of_its_own(tmp_path: Path) -> None:
    teacher = teacher_net()
    folder = opened(tmp_path, teacher).folder
    teacher.precision = torch.bfloat16
    assert opened(tmp_path, teacher).folder != folder


@pytest.mark.parametrize(
    ("header", "differs"),
    [
        (lambda text: text.replace('"padding": 4', '"padding": 2'), "padding"),
        (lambda text: "{}", "format, weights"),
        (lambda text: text[:40], "format, weights"),
        (lambda text: "[]", "format, weights"),
    ],
)
def test_the_cache_of_another_user_is_refused(tmp_path: Path, header: Callable[[str], str], differs: str) -> None:
    path = opened(tmp_path).folder / "header.json"
    path.write_text(header(path.read_text()))
    sentence = rf"is damaged, or belongs to another teacher or other data \(by its {differs}.*remove {tmp_path}"
    with pytest.raises(ValueError, match=sentence):
        opened(tmp_path)


def test_a_header_that_is_no_file_or_endless_is_refused_at_once(tmp_path: Path) -> None:
    header = opened(tmp_path).folder / "header.json"
    os.truncate(header, 10**12)  # a hole, which takes nothing
    with pytest.raises(ValueError, match=r"header.json is damaged, or belongs to another teacher"):
        opened(tmp_path)
    header.write_text("[" * 1500)
    with pytest.raises(ValueError, match=r"header.json is damaged, or belongs to another teacher"):
        opened(tmp_path)
    header.unlink()
    os.mkfifo(header)  # to open it would wait for ever
    with pytest.raises(ValueError, match=r"header.json is damaged, or belongs to another teacher"):
        opened(tmp_path)


def test_the_header_says_whose_it_is(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    header = json.loads((cache.folder / "header.json").read_text())
    assert header["batch_size"] == 8
    assert header["torch"] == torch.__version__
    assert not header["compiled"]
    assert cache.folder.name.startswith("QuickNet-quick-")
    assert sorted(os.listdir(cache.folder)) == ["header.json", "logits.rows"]


# How much room it takes


def test_it_stays_within_its_budget_and_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 40 * 81 * 4 * 5  # images, views, bytes, four logits and a checksum
    assert opened(tmp_path, budget=size / 1e9)
    assert (tmp_path / opened(tmp_path).folder / "logits.rows").stat().st_size == size
    with pytest.raises(
        CacheUnavailable, match=r"^its outputs may take 6.48e-05 GB, but only 6e-05 GB are allowed \(--cache_budget\)$"
    ):
        opened(tmp_path, budget=6e-5)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10 * size - 4096))
    with pytest.raises(CacheUnavailable, match=r"are allowed"):
        opened(tmp_path / "nested" / "store")  # a tenth of what is free
    assert opened(tmp_path, budget=1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=size - 4096))
    with pytest.raises(
        CacheUnavailable, match=r"^its outputs may take 6.48e-05 GB, but only 6.07e-05 GB of the disk are free$"
    ):
        opened(tmp_path, budget=1)
    assert not (tmp_path / "nested").exists()  # what is refused leaves nothing behind


def test_what_it_holds_already_does_not_count_against_it(tmp_path: Path) -> None:
    size = 40 * 81 * 4 * 5
    rows = opened(tmp_path).folder / "logits.rows"
    rows.write_bytes(bytes(size))
    assert rows.stat().st_blocks * 512 >= size
    assert opened(tmp_path, budget=size / 1e9).folder == rows.parent


def test_caches_beside_it_count_with_what_they_really_take(tmp_path: Path) -> None:
    beside = tmp_path / "other" / "logits.rows"
    beside.parent.mkdir()
    with beside.open("wb") as file:
        file.truncate(10**12)  # a hole takes nothing
    assert opened(tmp_path, budget=0.03)
    beside.write_bytes(bytes(2 * 10**7))
    with pytest.raises(CacheUnavailable, match=r"beside the 0.02 GB of others in .*, but only 0.02 GB are allowed"):
        opened(tmp_path, budget=0.02)


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheUnavailable, match=r"file/store/QuickNet-quick-\w+ cannot be written \(Not a directory\)"):
        opened(tmp_path / "file" / "store")


# Whether there can be one


class Gathering(QuickNet):
    """Subtracts what a batch has in common."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(0))


class Biased(QuickNet):
    """Says something else in the first place of a batch."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + (torch.arange(len(images)) == 0)[:, None]


class Precise(QuickNet):
    """Answers in float64."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).double()


@pytest.mark.parametrize("network", [Gathering, Biased])
def test_a_teacher_that_looks_at_the_whole_batch_is_not_kept(tmp_path: Path, network: type[nn.Module]) -> None:
    with pytest.raises(
        CacheUnavailable, match=r"^its outputs for an image depend on the others in the batch, or on its place"
    ):
        opened(tmp_path, Tapped(network()))


def test_other_reasons_for_having_none(tmp_path: Path) -> None:
    data = quick_data()
    folder = Folder([Path("a.png")] * 2, torch.zeros(2), mean=data.mean, std=data.std)
    for why, arguments in {
        "there are fewer images than a batch holds": {"data": quick_data(batch_size=41)},
        "quick is shown in new ways in each epoch, so no output is needed twice": {"data": replace(data, train=folder)},
        "its outputs are float64; only float32 can be cached": {"teacher": Tapped(Precise())},
        "in 17 epochs 9 % of its outputs are needed twice": {"use": "auto", "epochs": 17},
    }.items():
        with pytest.raises(CacheUnavailable, match=f"^{why}$"):
            opened(tmp_path, **arguments)  # type: ignore[arg-type] # its options by name
    assert opened(tmp_path, use="auto", epochs=19)
    assert opened(tmp_path, use="auto", epochs=1)  # there is one already


# What is said in a room


def outputs(
    folder: Path, store: CacheStore, *methods: list[Method], data: Data | None = None
) -> tuple[str | None, Classroom]:
    teacher = teacher_net()
    trainers = [trainer(terms, teacher, folder, str(i)) for i, terms in enumerate(methods)]
    room = Classroom(teacher, [*trainers, trainer([CE()], None, folder, "by itself")])
    room.to(torch.device("cpu"))
    return room.use_cache(store, data or quick_data()), room


def test_a_strong_view_has_no_end(tmp_path: Path) -> None:
    _, room = outputs(tmp_path, CacheStore(tmp_path / "store"), [CE(), KD()])
    room.trainers[0].distillation.needs_strong_view = True
    note = room.use_cache(CacheStore(tmp_path / "store", "auto"), quick_data())
    assert note == "no teacher cache: strong views are new in each epoch, so no output for them is needed twice"


def test_a_classroom_has_a_cache_only_if_all_of_its_students_can_use_it(tmp_path: Path) -> None:
    store = CacheStore(tmp_path / "store", "auto")
    assert outputs(tmp_path, store)[0] is None  # no student needs the teacher
    insists = replace(store, use="on")
    note, room = outputs(tmp_path, insists, [CE(), KD()], [KD(temperature=2)])
    assert room.cache is not None
    assert note == f"teacher cache: {room.cache.folder}"
    cases: list[tuple[list[Method], str]] = [
        ([CE(), AT()], r"AT reads stage1, which has shape \(8, 8, 8\); only vectors can be cached"),
        ([CE(), BatchStatistics()], "the teacher's BatchNorms use each batch's own statistics"),
    ]
    for methods, why in cases:
        note, room = outputs(tmp_path, store, methods)
        assert note is not None
        assert re.fullmatch(f"no teacher cache: {why}", note)
        assert room.cache is None
        with pytest.raises(ValueError, match=f"^--teacher_cache on: {why}; leave it out$"):
            outputs(tmp_path, insists, methods)
    _, room = outputs(tmp_path, insists, [CE(), KD()], [CE(), BatchStatistics()])
    assert room.cache is not None  # the copy with batch statistics runs beside it
