"""Rooms are as large as memory allows, and how large they are changes no student."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from stillhouse import distributed
from stillhouse.checkpoints import fingerprint
from stillhouse.distillation import Distillation
from stillhouse.method import Method
from stillhouse.methods import AT, CE, CRD, FT, KD
from stillhouse.methods.wrappers import SpotAdaptive
from stillhouse.taps import Tapped
from stillhouse.training import memory
from stillhouse.training.capture import classroom as capture_classroom
from stillhouse.training.capture.graph import CUDAGraph
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import Stopped, fit
from stillhouse.training.memory import split_by_memory
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.fake_cuda import Stream, fake_cuda
from tests.helpers.training import teacher_net, trainer

CPU = torch.device("cpu")
GB = 1e9


class Peaks:
    """Memory of which so much is in use after each trial step."""

    device = CPU

    def __init__(self, *peaks: float):
        self.peaks = iter(peaks)

    def begin(self) -> bool:
        return True

    def used(self) -> int:
        return 0

    def free(self) -> int:
        return int(10 * GB)

    def peak(self) -> int:
        return int(next(self.peaks) * GB)


def seated(room: Classroom, *peaks: float, budget: float | None = None) -> list[list[str]]:
    """The names in each room, given the memory in use."""
    peaked = Peaks(*peaks)
    with patch.object(memory, "_Resident", lambda: peaked):
        parts = list(split_by_memory(room, quick_data().info, CPU, budget))
    return [[one.name for one in part.trainers] for part in parts]


@pytest.fixture
def room(tmp_path: Path) -> Classroom:
    teacher = teacher_net()
    return Classroom(teacher, [trainer([CE(), KD()], teacher, tmp_path, name) for name in "abcd"])


def test_where_one_rank_cannot_measure_none_does(room: Classroom) -> None:
    """Else it would train all students at once, and the others wait for it with some of them."""
    with patch.object(distributed, "collect", lambda value: [value, False]):
        assert seated(room, budget=3) == [["a", "b", "c", "d"]]


def test_as_many_students_train_together_as_fit_into_memory(room: Classroom) -> None:
    assert seated(room, 1, 2, 3, 4) == [["a", "b", "c", "d"]]
    assert seated(room, 1, 2, 3, 4, budget=4) == [["a", "b", "c", "d"]]
    assert seated(room, 1, 2, 3, 4, 2, budget=3) == [["a", "b", "c"], ["d"]]
    assert seated(room, 1, 4, 2, 4, 2, 4, 2, budget=3) == [["a"], ["b"], ["c"], ["d"]]
    assert seated(room, 7, 9.5, 7, 8, 8.9) == [["a"], ["b", "c", "d"]]  # nine of the ten that are free


def test_a_single_student_trains_whatever_memory_it_takes(room: Classroom) -> None:
    assert seated(room.part(room.trainers[:1]), budget=0.1) == [["a"]]  # and is not measured
    assert seated(room, 99, 99, 99, 99) == [["a"], ["b"], ["c"], ["d"]]


def test_all_students_train_together_where_memory_cannot_be_measured(room: Classroom, tmp_path: Path) -> None:
    with patch.object(memory._Resident, "_PROCESS", tmp_path / "none"):
        (whole,) = split_by_memory(room, quick_data().info, CPU)
        assert whole.trainers == room.trainers


def test_a_student_without_memory_is_trained_later_and_is_unchanged(room: Classroom) -> None:
    third = room.trainers[2]
    before = fingerprint(third.distillation)
    original = StudentTrainer.train_step

    def train_step(self: StudentTrainer, *what: object) -> None:
        original(self, *what)  # type: ignore[arg-type] # handed on
        if self is third and any(one._optimizer for one in room.trainers if one is not third):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes")

    with patch.object(StudentTrainer, "train_step", train_step):
        assert seated(room, 1, 2, 3, 4) == [["a", "b"], ["c", "d"]]
    assert fingerprint(third.distillation) == before


def test_a_signal_in_a_trial_step_says_how_to_go_on(room: Classroom) -> None:
    def train_step(self: StudentTrainer, *what: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with (
        patch.object(StudentTrainer, "train_step", train_step),
        pytest.raises(Stopped, match="run the same command again to resume"),
    ):
        seated(room, 1, 2, 3, 4)


def test_other_errors_are_not_about_memory(room: Classroom) -> None:
    with (
        patch.object(StudentTrainer, "train_step", side_effect=RuntimeError("shapes")),
        pytest.raises(RuntimeError, match="shapes"),
    ):
        seated(room)


def test_students_are_the_same_however_they_are_split_by_memory(tmp_path: Path) -> None:
    def taught(folder: str, *peaks: float) -> list[bytes]:
        teacher = teacher_net()
        methods: tuple[list[Method], ...] = (
            [CE(), KD()],
            [CE(), CRD(num_negatives=4, dim=4)],
            [SpotAdaptive([KD(), AT()]), CE()],
        )
        trainers = [
            trainer(few, teacher, tmp_path / folder, name, dropout=0.5)
            for name, few in zip("abc", methods, strict=True)
        ]
        room, data = Classroom(teacher, trainers), quick_data()
        if not peaks:
            fit(room, data, "cpu")
        else:
            peaked = Peaks(*peaks)
            with patch.object(memory, "_Resident", lambda: peaked):
                for part in split_by_memory(room, data.info, CPU, budget=3):
                    fit(part, data, "cpu")
        return [(one.run.folder / "student.safetensors").read_bytes() for one in trainers]

    unmeasured = taught("unmeasured")
    assert taught("together", 1, 2, 3) == unmeasured
    assert taught("apart", 1, 4, 1, 4, 1) == unmeasured


def test_the_caller_s_random_numbers_are_left_alone(room: Classroom) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    seated(room, 1, 2, 3, 4)
    assert torch.equal(torch.rand(3), expected)


def test_memory_is_measured_on_a_batch_of_distillation_and_an_evaluation(tmp_path: Path) -> None:
    teacher = teacher_net()
    both = [trainer([FT(warmup_epochs=1), CE()], teacher, tmp_path, name) for name in "ab"]
    before = [fingerprint(one.distillation) for one in both]
    seen: list[tuple[bool, int]] = []
    both[0].distillation.student.model.register_forward_hook(
        lambda net, images, logits: seen.append((net.training, len(images[0])))
    )
    both[0].distillation.register_forward_hook(lambda _, given, terms: seen.append((True, -len(terms))))
    assert seated(Classroom(teacher, both), 1, 2) == [["a", "b"]]
    assert seen == [(True, 8), (True, -2), (False, 32)]
    assert [fingerprint(one.distillation) for one in both] == before
    assert [(one.epoch, one.step, one.phase_at(one.epoch)[0].name) for one in both] == [(0, 0, "FT warm-up")] * 2


def test_graphs_are_captured_before_memory_is_looked_at(room: Classroom) -> None:
    room.replays = True
    with patch.object(StudentTrainer, "trial_step") as trial_step, patch("torch.compiler.cudagraph_mark_step_begin"):
        seated(room.part(room.trainers[:2]), 1, 2)
    assert trial_step.call_count == 6


def test_students_with_graphs_are_measured_each_in_memory_of_its_own(room: Classroom) -> None:
    streams: list[tuple[str, Stream]] = []
    original = StudentTrainer.train_step

    def train_step(self: StudentTrainer, *what: object) -> None:
        streams.append((self.name, gpu.stream))
        original(self, *what)  # type: ignore[arg-type] # handed on

    before = [fingerprint(one.distillation) for one in room.trainers]
    with (
        patch.object(StudentTrainer, "train_step", train_step),
        patch.object(capture_classroom, "RepeatedCalls", CUDAGraph),
        patch.object(memory, "_Resident", lambda: Peaks(1, 2, 3, 4)),
        fake_cuda() as gpu,
    ):
        (whole,) = split_by_memory(room, quick_data().info, CPU, 4, capture="on")
    assert [name for name, _ in streams] == list("aabbccdd")
    assert [stream for _, stream in streams[::2]] == [gpu.main] * 4  # as in an epoch's last, smaller batch
    assert len({stream for _, stream in streams}) == 5
    assert gpu.races == []
    assert [fingerprint(one.distillation) for one in whole.trainers] == before


def is_at_rest(one: StudentTrainer) -> bool:
    return one._optimizer is None and all(p.grad is None for p in one.distillation.parameters())


def test_a_student_that_leaves_a_classroom_frees_its_memory(room: Classroom) -> None:
    peaked = Peaks(1, 4, 1, 2, 3)
    with patch.object(memory, "_Resident", lambda: peaked):
        parts = split_by_memory(room, quick_data().info, CPU, 3)
        first = next(parts)
        (one,) = first.trainers
        fit(first, quick_data(), "cpu")
        assert not is_at_rest(one)
        assert [other.name for other in next(parts).trainers] == ["b", "c", "d"]
        assert is_at_rest(one)


def test_buffers_that_are_not_saved_are_put_back_too(tmp_path: Path) -> None:
    one = trainer([CE(), KD()], teacher := teacher_net(), tmp_path, "one")
    model, scale = one.distillation.student.model, torch.ones(1)
    model.register_buffer("scale", scale, persistent=False)

    def shrink(net: nn.Module, images: object, logits: object) -> None:
        scale.mul_(0.5 if net.training else 1.0)

    model.register_forward_hook(shrink)
    with patch.object(StudentTrainer, "train_step", autospec=True, side_effect=StudentTrainer.train_step) as train_step:
        seated(Classroom(teacher, [one, trainer([CE()], None, tmp_path, "other")]), 1, 2)
    assert train_step.call_count == 2
    assert scale.item() == 1


def test_a_container_s_limit_counts(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("0::/jobs/mine\n")
    for group, limit in (("", "max"), ("jobs", "3000"), ("jobs/mine", "9000")):
        (tmp_path / group).mkdir(exist_ok=True)
        for name, text in (("max", limit), ("current", "2500"), ("stat", "anon 1000\ninactive_file 700\n")):
            (tmp_path / group / f"memory.{name}").write_text(text)
    with patch.multiple(memory._Resident, _PROCESS=tmp_path, _GROUPS=tmp_path):
        assert memory._Resident().free() == 1200
        with patch.object(distributed, "on_this_machine", lambda: 2):
            assert memory._Resident().free() == 600
        (tmp_path / "cgroup").unlink()
        assert memory._Resident().free() > 1e6


class Wide(nn.Module):
    """A hundred MB of weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Conv2d(3, 100, 3, 2, 1)
        self.wide = nn.Linear(100, 250_000, bias=False)
        self.head = nn.Linear(250_000, 4, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.wide(self.stage(images).mean((2, 3))).relu())
        return logits


def test_memory_is_measured(tmp_path: Path) -> None:
    data = quick_data()

    def wide(name: str) -> StudentTrainer:
        student = Distillation(Tapped(Wide()), None, [CE()], data.info)
        return StudentTrainer(student, TrainConfig(epochs=1, batch_size=8), Run(tmp_path, name, {}, {}), name=name)

    resident = memory._Resident()
    assert resident.begin()
    room = Classroom(None, [wide("a"), wide("b")])
    used = (
        resident.used() / GB
    )  # each will take 0.2 more for gradients and momentum, and one at a time 0.1 to step back

    def names(budget: float) -> Iterator[Sequence[str]]:
        for part in split_by_memory(room, data.info, CPU, budget):
            yield [one.name for one in part.trainers]

    assert list(names(used + 0.42)) == [["a"], ["b"]]
    assert list(names(used + 0.65)) == [["a", "b"]]
    assert all(parameter.grad is None for one in room.trainers for parameter in one.distillation.parameters())
