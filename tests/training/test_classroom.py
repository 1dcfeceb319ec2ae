"""The laws of a room: who else is in it changes nothing, and the teacher stays as it is."""

import copy
import errno
from pathlib import Path

import pytest
import torch

from stillhouse.checkpoints import fingerprint
from stillhouse.method import Method
from stillhouse.methods import AT, CE, KD, SP, FitNet
from stillhouse.training.capture.classroom import Use
from stillhouse.training.classroom import Classroom, teacher_modes
from stillhouse.training.loop import fit
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.training import BatchStatistics, assert_same, teacher_net, trainer, weights


def test_a_student_trained_beside_two_others_equals_the_same_student_alone(tmp_path: Path) -> None:
    teacher = teacher_net()
    alone = trainer([CE(), KD()], teacher, tmp_path / "alone", "kd", dropout=0.5)
    fit(Classroom(teacher, [alone]), quick_data(), "cpu")

    teacher = teacher_net()
    others = [
        trainer([CE(), AT(), FitNet(at="stage1")], teacher, tmp_path / "room", "at", dropout=0.2),
        trainer([CE(), KD()], teacher, tmp_path / "room", "kd", dropout=0.5),
        trainer([CE()], None, tmp_path / "room", "ce"),
    ]
    fit(Classroom(teacher, others), quick_data(), "cpu")
    assert_same(weights(alone), weights(others[1]))
    kept = (alone.run.folder / "student.safetensors").read_bytes()
    assert kept == (others[1].run.folder / "student.safetensors").read_bytes()
    with pytest.raises(AssertionError):
        assert_same(weights(others[0]), weights(others[1]))


def test_same_seed_same_student_other_seed_another(tmp_path: Path) -> None:
    def trained(folder: str, seed: int) -> StudentTrainer:
        teacher = teacher_net()
        one = trainer([CE(), KD()], teacher, tmp_path / folder, "kd", dropout=0.5)
        fit(Classroom(teacher, [one]), quick_data(seed=seed), "cpu")
        return one

    first, second, other = trained("a", 0), trained("b", 0), trained("c", 1)
    assert_same(weights(first), weights(second))
    assert [{**row, "seconds": 0} for row in first.rows] == [{**row, "seconds": 0} for row in second.rows]
    assert not torch.equal(weights(first)["head.weight"], weights(other)["head.weight"])


def test_the_global_random_state_of_the_caller_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    fit(Classroom(None, [trainer([CE()], None, tmp_path, "ce", dropout=0.5)]), quick_data(), "cpu")
    assert torch.equal(torch.rand(3), expected)


def test_a_teacher_with_batch_statistics_is_a_copy_and_the_teacher_stays_bit_unchanged(tmp_path: Path) -> None:
    teacher = teacher_net()
    before = fingerprint(teacher)
    method = BatchStatistics()
    others = [trainer([method], teacher, tmp_path, "batch"), trainer([CE(), KD(), SP()], teacher, tmp_path, "eval")]
    data = quick_data()
    fit(Classroom(teacher, others), data, "cpu")
    assert fingerprint(teacher) == before

    batch = next(data.train.epoch(0, "cpu"))
    in_train_mode = copy.deepcopy(teacher.model).train()
    torch.testing.assert_close(method.outputs[0], in_train_mode(batch.images))
    assert not torch.allclose(method.outputs[0], teacher.model.eval()(batch.images))


def test_students_that_are_ahead_wait_for_the_others(tmp_path: Path) -> None:
    whole = trainer([CE(), KD()], teacher := teacher_net(), tmp_path / "whole", "kd")
    fit(Classroom(teacher, [whole]), quick_data(), "cpu")

    teacher = teacher_net()
    room = Classroom(teacher, [trainer([CE(), KD()], teacher, tmp_path, "kd"), trainer([CE()], None, tmp_path, "ce")])
    room.to(torch.device("cpu"))
    first, second = room.trainers
    for step, batch in enumerate(quick_data().train.epoch(0, "cpu")):  # only one of them gets this far
        room.train_step(batch, [first])
        if step == 2:
            break
    assert room.position == (0, 0)
    assert room.trainers_at(0, 0) == [second]
    assert room.trainers_at(0, 3) == [first]
    fit(room, quick_data(), "cpu")
    assert_same(weights(whole), weights(first))
    assert room.position is None


class Fails(CE):
    """Fails in its third step: with an error of its own, or by a loss that is not a number."""

    def __init__(self, by_nan: bool):
        super().__init__()
        self.by_nan, self.steps = by_nan, 0

    def loss(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        if self.steps == 3 and not self.by_nan:
            raise TypeError("made up")
        return super().loss(student, teacher, labels) * (float("nan") if self.steps == 3 else 1)


@pytest.mark.parametrize("capture", ["off", "on"])
@pytest.mark.parametrize("by_nan", [False, True])
def test_a_student_that_fails_leaves_and_the_others_are_what_they_would_be(
    tmp_path: Path, by_nan: bool, capture: Use
) -> None:
    teacher = teacher_net()
    undisturbed = trainer([CE(), KD()], teacher, tmp_path / "alone", "kd")
    fit(Classroom(teacher, [undisturbed]), quick_data(), "cpu")

    teacher, failures = teacher_net(), dict[str, str]()
    kd = trainer([CE(), KD()], teacher, tmp_path / "room", "kd")
    failing = trainer([Fails(by_nan)], None, tmp_path / "room", "failing")
    room = Classroom(teacher, [failing, kd])
    room.on_failure = lambda one, error: failures.update({one.name: str(error)})
    fit(room, quick_data(), "cpu", capture=capture)
    assert room.trainers == [kd]
    assert_same(weights(undisturbed), weights(kd))
    assert list(failures) == ["failing"]
    assert ("became NaN or inf" in failures["failing"]) == by_nan
    assert not failing.run.is_done

    alone = trainer([Fails(by_nan)], None, tmp_path / "raised", "failing")
    with pytest.raises(ArithmeticError if by_nan else TypeError):
        fit(Classroom(None, [alone]), quick_data(), "cpu")


def test_a_room_in_which_everybody_fails_ends(tmp_path: Path) -> None:
    failures: list[str] = []
    room = Classroom(None, [trainer([Fails(by_nan)], None, tmp_path, str(by_nan)) for by_nan in (False, True)])
    room.on_failure = lambda one, error: failures.append(one.name)
    fit(room, quick_data(), "cpu")
    assert sorted(failures) == ["False", "True"]


def test_a_full_disk_is_no_student_s_own_failure(tmp_path: Path) -> None:
    def full(_: StudentTrainer) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    room = Classroom(None, [trainer([CE()], None, tmp_path, "ce")])
    room.on_failure = lambda one, error: pytest.fail("it is everybody's")
    with pytest.raises(OSError, match="No space"):
        room.for_each(full)


def test_all_ranks_run_the_teacher_in_the_same_order_of_its_modes(tmp_path: Path) -> None:
    """Each rank hashes words in a way of its own, and what they gather must be of the same mode."""
    teacher = teacher_net()
    methods: list[list[Method]] = [[CE(), KD()], [CE(), BatchStatistics()]]
    room = [trainer(some, teacher, tmp_path, str(number)) for number, some in enumerate(methods)]
    room.insert(1, trainer([CE()], None, tmp_path, "alone"))
    for trainers in (room, room[::-1], [*room, *room]):
        assert teacher_modes(trainers) == ["batch_stats", "eval", "none"]
