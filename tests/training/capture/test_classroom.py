"""A classroom that trains by graphs, or by their stand-in, ends with the bytes of one that does not."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from stillhouse.contract import Subject
from stillhouse.contract.specimens import BATCH, batch
from stillhouse.contract.trial import RECIPE, Trial
from stillhouse.methods import CE, CRD, FT, KD, KDSVD
from stillhouse.methods.parse import catalogue, parse
from stillhouse.methods.wrappers import Ramped, SpotAdaptive
from stillhouse.training.cache.store import CacheStore
from stillhouse.training.capture import classroom as classroom_module
from stillhouse.training.capture.classroom import WORTHWHILE, Capture, captured
from stillhouse.training.capture.graph import CUDAGraph, Graph, RepeatedCalls
from stillhouse.training.classroom import Classroom
from stillhouse.training.config import TrainConfig
from stillhouse.training.loop import fit
from stillhouse.training.progress import Display
from stillhouse.training.run_folder import Run
from stillhouse.training.student import StudentTrainer
from tests.helpers.data import quick_data
from tests.helpers.fake_cuda import fake_cuda
from tests.helpers.tape import Tape
from tests.helpers.training import BatchStatistics, teacher_net, trainer

CONFIG = TrainConfig(epochs=2, batch_size=7, lr=0.05, schedule="cosine", clip_norm=1.0)
DATA = partial(quick_data, batch_size=7)  # five batches of 7 and one of 5
ROUNDING = {"ReviewKD": 1e-5}  # a tape keeps what is added up, so that autograd adds it in another order of memory


class Stop(Exception):  # noqa: N818 (as if it were killed)
    pass


def room(folder: Path) -> Classroom:
    """A method with a phase of its own before distillation, one that draws, one without a graph, and no teacher."""
    teacher, train = teacher_net(), partial(trainer, config=CONFIG)
    return Classroom(
        teacher,
        [
            train([CE(), FT(warmup_epochs=1)], teacher, folder, "ft", dropout=0.2),
            train([CE(), Ramped(SpotAdaptive([KD(), CRD(num_negatives=9)]), epochs=3)], teacher, folder, "spots"),
            train([CE(), KDSVD(at=[("stage2", "stage1")] * 2), BatchStatistics()], teacher, folder, "svd"),
            train([CE()], None, folder, "ce", dropout=0.5),
        ],
    )


def outcomes(classroom: Classroom) -> list[object]:
    """All that is kept of each student, but times."""
    kept: list[object] = []
    for one in classroom.trainers:
        kept += [[{**row, "seconds": 0} for row in one.rows], one.optimizer.state_dict()["param_groups"]]
        kept += [file.read_bytes() for file in sorted(one.run.folder.glob("*.safetensors"))]
    return kept


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Outcomes without graphs."""
    classroom = room(tmp_path_factory.mktemp("eager"))
    fit(classroom, DATA(), "cpu")
    return outcomes(classroom)


def test_four_students_together_are_the_same_in_graphs(
    eager: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs = room(tmp_path / "graphs")
    fit(graphs, DATA(), "cpu", Display(), capture="on")
    assert outcomes(graphs) == eager
    lines = [line for line in capsys.readouterr().out.splitlines() if "graph" in line]
    assert len(lines) == 2
    assert lines[0].startswith("note: no GPU here, so steps are repeated call by call")
    assert lines[1].startswith("svd trains without a CUDA graph: linalg_svd waits for the device (kdsvd.py, line ")


def test_on_a_gpu_no_stream_touches_what_another_still_uses(eager: list[object], tmp_path: Path) -> None:
    graphs = room(tmp_path)
    with patch.object(classroom_module, "RepeatedCalls", CUDAGraph), fake_cuda() as gpu:
        fit(graphs, DATA(), "cpu", capture="on")
    assert gpu.races == []
    assert gpu.replays == 40  # steps 3 and 10 of the distilled student are looked at
    assert outcomes(graphs) == eager


class Refusing(RepeatedCalls):
    """As a device may refuse what looked harmless."""

    def capture(self, work: Callable[[], None]) -> None:
        raise RuntimeError("operation not permitted\nwhen stream is capturing")


def test_what_the_device_refuses_to_capture_runs_without_a_graph(
    eager: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = room(tmp_path)
    with patch.object(classroom_module, "RepeatedCalls", Refusing):
        fit(refused, DATA(), "cpu", Display(), capture="on")
    assert outcomes(refused) == eager
    lines = [line for line in capsys.readouterr().out.splitlines() if "without a CUDA graph: operation" in line]
    assert {line.partition(" ")[0] for line in lines} == {"the", "ft", "spots", "ce"}
    assert all(line.endswith("operation not permitted when stream is capturing") for line in lines)


class Scheduled(CE):
    """Keeps what follows the epoch in Python."""

    share = 1.0

    def begin_epoch(self, epoch: int) -> None:
        self.share = 1.0 / (1 + epoch)

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return self.share * super().loss(student, teacher, labels)


def test_a_student_is_captured_anew_when_an_epoch_changes_what_python_holds(tmp_path: Path) -> None:
    config = replace(CONFIG, epochs=3)
    eager, graphs = (Classroom(None, [trainer([Scheduled()], None, tmp_path, name, config=config)]) for name in "ab")
    fit(eager, DATA(), "cpu")
    replayed = patch.object(Tape, "replay", autospec=True, side_effect=Tape.replay)
    with patch.object(classroom_module, "RepeatedCalls", Tape), replayed as replay:
        fit(graphs, DATA(), "cpu", capture="on")
    assert replay.call_count == 4 + 3 + 3  # of five: one step warms up, and one finds the change
    assert outcomes(graphs) == outcomes(eager)


@pytest.mark.parametrize("at", [3, 12])  # in the first phase, between two epochs
def test_stopped_at_any_step_and_resumed_it_is_the_same(at: int, eager: list[object], tmp_path: Path) -> None:
    killed = room(tmp_path / "graphs")
    step, left = Capture.train_step, [at]

    def limited(self: Capture, *arguments: object) -> None:
        if not left[0]:
            for one in self.classroom.trainers[:-1]:  # the last one starts again
                one.save()
            raise Stop
        left[0] -= 1
        step(self, *arguments)  # type: ignore[arg-type] # as its caller has them

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Capture, "train_step", limited)
        with pytest.raises(Stop):
            fit(killed, DATA(), "cpu", capture="on")
    resumed = room(tmp_path / "graphs")
    fit(resumed, DATA(), "cpu", capture="on")
    assert outcomes(resumed) == eager


def test_with_a_teacher_cache_it_is_the_same(tmp_path: Path) -> None:
    def trained(folder: Path, capture: bool, cache: bool) -> list[object]:
        teacher = teacher_net()
        one = Classroom(teacher, [trainer([CE(), KD()], teacher, folder, "kd", config=CONFIG)])
        store = CacheStore(tmp_path / "cache", "on") if cache else None
        fit(one, DATA(), "cpu", cache_store=store, capture="on" if capture else "off")
        return outcomes(one)

    plain = trained(tmp_path / "plain", capture=False, cache=False)
    assert trained(tmp_path / "filling", capture=True, cache=True) == plain
    assert trained(tmp_path / "reading", capture=True, cache=True) == plain


def test_images_have_the_memory_format_of_the_networks_with_graphs_and_without(tmp_path: Path) -> None:
    def trained(folder: Path, capture: bool, memory_format: torch.memory_format) -> list[object]:
        def look(net: torch.nn.Module, arguments: tuple[Tensor]) -> None:
            if len(arguments[0]) in (5, 7):  # not in an evaluation
                assert arguments[0].is_contiguous(memory_format=memory_format)

        teacher = teacher_net()
        one = Classroom(teacher, [trainer([CE(), KD()], teacher, folder, "kd", config=CONFIG)])
        one.memory_format = memory_format
        for net in (teacher, one.trainers[0].distillation.student):
            net.register_forward_pre_hook(look)
        fit(one, DATA(), "cpu", capture="on" if capture else "off")
        return outcomes(one)

    for name, memory_format in (("last", torch.channels_last), ("first", torch.contiguous_format)):
        eager, graphs = (trained(tmp_path / name / str(on), on, memory_format) for on in (False, True))
        assert eager == graphs


def test_all_steps_but_the_first_those_looked_at_and_the_smaller_ones_are_replayed(tmp_path: Path) -> None:
    teacher, said = teacher_net(), list[str]()
    students = [trainer([CE(), KD()], teacher, tmp_path, name, config=CONFIG) for name in ("a", "b")]
    classroom, data = Classroom(teacher, students), DATA()
    classroom.to(torch.device("cpu"))
    capture = Capture(classroom, 7, RepeatedCalls, said.append)
    for epoch in range(2):
        for student in students:
            student.move_to(epoch)
            student.begin_epoch()
        for one in capture.prefetch(data.train.epoch(epoch, "cpu")):
            capture.train_step(one, students)
    assert [capture.students[student].replays for student in students] == [9 - 2, 9 - 2]  # steps 3 and 10 are looked at
    assert capture.teachers["eval"].replays == 9
    assert said == []


def test_graphs_are_for_gpus_and_for_long_runs() -> None:
    classroom, said = Classroom(None, []), list[str]()
    cpu = torch.device("cpu")
    assert captured(classroom, 8, 10**6, cpu, "auto", said.append) is None
    assert captured(classroom, 8, 10**6, cpu, "off", said.append) is None
    assert captured(classroom, 8, WORTHWHILE - 1, torch.device("cuda"), "auto", said.append) is None
    assert captured(classroom, 8, 10**6, torch.device("cuda"), "off", said.append) is None
    assert said == []
    assert captured(classroom, 8, 10**6, torch.device("cuda"), "auto", said.append)
    classroom.replays = True
    assert captured(classroom, 8, 1, cpu, "on", said.append) is None
    assert said == ["no CUDA graphs of whole steps: the networks are compiled with graphs of their own"]


def _expression(name: str) -> str:
    takes = inspect.signature(catalogue()[name]).parameters
    return name + ("(KD)" if "base" in takes else "([KD, AT])" if "terms" in takes else "")


@pytest.mark.parametrize("name", catalogue())
def test_every_method_is_the_same_in_graphs_and_handed_over_in_mid_epoch(name: str, tmp_path: Path) -> None:
    subject, said = Subject(parse(_expression(name))[0]), list[str]()

    def steps(trial: Trial, first: int, last: int, graph: type[Graph] | None) -> StudentTrainer:
        one = StudentTrainer(trial.distillation, replace(RECIPE, lr_warmup=0.5), Run(tmp_path, "one", {}, {}))
        classroom = Classroom(trial.teacher, [one])
        classroom.to(torch.device("cpu"))
        if first:
            one.resume()
        one.begin_epoch()
        train_step = Capture(classroom, BATCH, graph, said.append).train_step if graph else None
        for step in range(first, last):
            shown = replace(batch(step, strong_view=trial.strong_view), epoch=step / 6)
            (train_step or classroom.train_step)(shown, [one])
        return one

    eager = steps(subject.trial(), 0, 6, None)
    part = steps(subject.trial(), 0, 3, RepeatedCalls)
    part.run.folder.mkdir(parents=True, exist_ok=True)
    part.save()
    rest = steps(subject.trial(), 3, 6, Tape)
    assert bool(said) == (name == "KDSVD")  # the others are in graphs indeed
    assert rest.meter.means() == pytest.approx(eager.meter.means(), rel=ROUNDING.get(name, 0.0))
    expected = eager.distillation.state_dict()
    for key, value in rest.distillation.state_dict().items():
        if name in ROUNDING:
            torch.testing.assert_close(value, expected[key])
        else:
            assert torch.equal(value, expected[key]), key
