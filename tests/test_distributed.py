"""Two processes that train together do what one does with the same batches."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from stillhouse import distributed
from stillhouse.__main__ import main
from stillhouse.data import Data, Folder, load
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import AT, CE, CRD, FT, KD, RKD, SP, FitNet
from stillhouse.methods.wrappers import SpotAdaptive
from stillhouse.plan.timing import measured
from stillhouse.taps import Tapped
from stillhouse.training import loop
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.evaluation import evaluate
from stillhouse.training.optimizer import Optimizer
from stillhouse.training.run_files import read_result
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet, quick_net_file
from tests.helpers.pictures import picture, write_classes
from tests.helpers.processes import together


def plain_net(seed: int, width: int = 4) -> QuickNet:
    """Without BatchNorms, which would see a part of each batch."""
    torch.manual_seed(seed)
    net = QuickNet(width=width)
    for stage in (net.stage1, net.stage2):
        stage[1] = nn.Identity()
    return net


def relational() -> list[Method]:
    methods = [CE(), KD(), SP(weight=1.0), RKD(), CRD(num_negatives=6, dim=8), FitNet(weight=1.0)]
    return [*methods, FT(weight=1.0, warmup_epochs=1)]


def routed() -> list[Method]:
    return [CE(), SpotAdaptive([KD(), AT(weight=1.0)])]


Methods = Callable[[], list[Method]]


def built(folder: Path, methods: Methods, data: Data, bare: bool = True) -> tuple[Tapped, StudentTrainer]:
    torch.manual_seed(1)  # else each rank would draw its own
    teacher = Tapped(plain_net(1, 8) if bare else QuickNet(width=8))
    torch.manual_seed(2)
    student = plain_net(2) if bare else QuickNet()
    run = Run(folder, "student", {}, {})
    return teacher, StudentTrainer(
        Distillation(student, teacher, methods(), data.info), TrainConfig(epochs=2, lr=0.02), run
    )


def trained(folder: Path, methods: Methods, data: Data, bare: bool = True) -> StudentTrainer:
    teacher, one = built(folder, methods, data, bare)
    loop.fit(Classroom(teacher, [one]), data, "cpu")
    return one


def _teach(folder: Path, methods: Methods, batch_size: int, bare: bool = True) -> None:
    with distributed.joined(torch.device("cpu")):
        one = trained(folder, methods, quick_data(batch_size), bare)
        torch.save(one.distillation.state_dict(), folder / f"rank{distributed.rank()}.pt")


@pytest.mark.parametrize("methods", [relational, routed])
@pytest.mark.parametrize(("count", "batch_size"), [(2, 8), (2, 7), (3, 8)])  # the last batch of 40 has 8 or 5 images
def test_ranks_learn_what_one_process_learns(tmp_path: Path, methods: Methods, count: int, batch_size: int) -> None:
    alone = trained(tmp_path / "alone", methods, quick_data(batch_size))
    assert together(count, _teach, tmp_path, methods, batch_size) == [0] * count
    same_as_alone(tmp_path, alone, count)


def same_as_alone(folder: Path, alone: StudentTrainer, count: int) -> None:
    """The ranks' weights are those of one process, and each other's to the bit; the numbers of each epoch as well."""
    kept = [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(count)]
    for name, value in alone.distillation.state_dict().items():
        torch.testing.assert_close(kept[0][name], value, rtol=1e-3, atol=1e-4)
        for other in kept[1:]:  # memories and trained layers included
            assert torch.equal(kept[0][name], other[name]), name
    found = Run(folder, "student", {}, {}).rows()
    assert len(found) == len(alone.rows)
    for mine, known in zip(found, alone.rows, strict=True):
        assert mine.keys() == known.keys()
        for column in known.keys() - {"phase", "seconds"}:
            assert mine[column] == pytest.approx(known[column], rel=1e-3, abs=1e-4), column


def on_disk(pictures: Path) -> Data:
    """Of 41 training images, so the last batch has one, and 21 held-out ones, which two ranks cannot share evenly."""
    data = load(pictures, image_size=16, batch_size=8, workers=0)
    assert isinstance(data.train, Folder)
    return data


def _teach_on_disk(folder: Path, pictures: Path) -> None:
    with distributed.joined(torch.device("cpu")):
        one = trained(folder, routed, on_disk(pictures))
        torch.save(one.distillation.state_dict(), folder / f"rank{distributed.rank()}.pt")


def test_ranks_learn_from_images_on_disk_what_one_process_learns(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for split, count in (("train", 10), ("test", 5)):
        write_classes(pictures / split, tuple("abcd"), count, width=80)
        picture(99, 80).save(pictures / split / "d" / "more.png")
    alone = trained(tmp_path / "alone", routed, on_disk(pictures))
    assert together(2, _teach_on_disk, tmp_path, pictures) == [0, 0]
    same_as_alone(tmp_path, alone, 2)


def test_batch_norms_hold_the_same_statistics_on_all_ranks(tmp_path: Path) -> None:
    assert together(2, _teach, tmp_path, routed, 8, False) == [0, 0]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in range(2))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def _pace(folder: Path, pictures: Path | None) -> None:
    with distributed.joined(torch.device("cpu")):
        clock, slowness = time.perf_counter, 1 + 999 * distributed.rank()
        data = quick_data(16) if pictures is None else on_disk(pictures)
        teacher, one = built(folder, relational, data)
        with patch.object(time, "perf_counter", lambda: slowness * clock()):
            pace = measured(teacher, {one: "student"}, data, torch.device("cpu"), 0.5)
        torch.save(pace, folder / f"rank{distributed.rank()}.pt")


@pytest.mark.parametrize("is_on_disk", [False, True])  # of a batch on disk each rank reads a part
def test_ranks_of_unequal_speed_take_the_same_timed_steps(tmp_path: Path, is_on_disk: bool) -> None:
    pictures = tmp_path / "pictures" if is_on_disk else None
    if pictures is not None:
        for split, count in (("train", 40), ("test", 1)):
            write_classes(pictures / split, tuple("abcd"), count, width=80)
    assert together(2, _pace, tmp_path, pictures) == [0, 0]
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=False) for rank in range(2))
    assert first.timed > 1
    for part in ("timed", "images", "teacher", "students", "reading", "begin"):
        assert getattr(first, part) == getattr(second, part), part


def _measure(folder: Path) -> None:
    with distributed.joined(torch.device("cpu")):
        data = quick_data()
        with patch("stillhouse.training.evaluation.batch_size", lambda _: 3):  # of 20 images: 7 batches, for 2 ranks
            scores = evaluate(plain_net(0), data.test, torch.device("cpu"))
        torch.save((scores.logits, scores.labels), folder / f"rank{distributed.rank()}.pt")


def test_every_held_out_image_counts_once(tmp_path: Path) -> None:
    assert together(2, _measure, tmp_path) == [0, 0]
    alone = evaluate(plain_net(0), quick_data().test, torch.device("cpu"))
    for rank in range(2):
        logits, labels = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        torch.testing.assert_close(logits, alone.logits)
        assert labels.equal(alone.labels)


def _teach_until(folder: Path, dies_before: int) -> int:
    """Rank 1 dies before the given step; what rank 0 then says."""
    step, left = Optimizer.step, [dies_before]

    def counted(self: Optimizer, terms: dict[str, torch.Tensor]) -> None:
        left[0] -= 1
        if left[0] < 0 and distributed.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        step(self, terms)

    with patch.object(Optimizer, "step", counted):
        try:
            _teach(folder, relational, 8)
        except distributed.Lost as lost:
            return 3 if "another process of this training is gone" in str(lost) else 4
    return 0


def test_a_dead_rank_leaves_a_state_to_go_on_from(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "broken").mkdir()
    assert together(2, _teach, tmp_path / "whole", relational, 8) == [0, 0]
    assert together(2, _teach_until, tmp_path / "broken", 12) == [3, -signal.SIGKILL]  # in the third of 3 epochs
    run = Run(tmp_path / "broken", "student", {}, {})
    assert len(run.rows()) == 2
    assert not run.is_done
    assert together(2, _teach, tmp_path / "broken", relational, 8) == [0, 0]
    known = Run(tmp_path / "whole", "student", {}, {})
    for name in ("student.safetensors", "methods.safetensors"):
        assert (run.folder / name).read_bytes() == (known.folder / name).read_bytes()
    assert read_result(run.folder)["processes"] == 2


def _command(words: Sequence[str], folder: Path) -> int:
    with (folder / f"said by {distributed.number()}").open("w") as file, redirect_stdout(file), redirect_stderr(file):
        return main(words)


def test_the_command_line_joins_the_ranks(tmp_path: Path) -> None:
    def run(more: str) -> tuple[list[int | None], str, str]:
        codes = together(2, _command, [*words.split(), *more.split()], tmp_path)
        return codes, (tmp_path / "said by 0").read_text(), (tmp_path / "said by 1").read_text()

    nets = quick_net_file(tmp_path)
    words = f"distill --data digits --teacher {nets}:wide --student {nets}:small --methods CE,KD,SP --epochs 4 --lr 0.3"
    words += f" --folder {tmp_path / 'runs'} --device cpu"
    codes, first, second = run("--batch_size 128 --compile true")
    assert codes == [0, 0]
    assert first.count("digits, 4 epochs, seed 0") == 1  # a table
    assert "not compiled: several processes train together" in first
    assert "no teacher cache: several processes train together" in first
    assert second == ""
    for more, complaint in (
        ("--batch_size 3", "shared by 2 processes"),
        ("--sync_batchnorm true", "with a GPU each"),
        ("--seeds 2", "one student together, not 2"),
    ):
        codes, first, second = run(more)
        assert codes == [2, 2]
        assert complaint in first
        assert second.startswith("stillhouse (process 1): ")


def test_shares_are_whole_and_of_equal_size() -> None:
    for count, length in ((1, 5), (2, 7), (3, 8), (4, 8)):
        with patch.object(distributed, "world_size", lambda count=count: count):
            rows = [range(length)[distributed.my_slice(length, of)] for of in range(count)]
        assert [row for part in rows for row in part] == list(range(length))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
