"""The fast ways compute what the slow ones do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo import register_backend
from torch._dynamo.backends.registry import _COMPILER_FNS

from stillhouse.method import Method
from stillhouse.methods import AT, CE, KD
from stillhouse.taps import Tapped
from stillhouse.training import compile
from stillhouse.training.capture.classroom import Capture
from stillhouse.training.capture.graph import RepeatedCalls
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet
from tests.helpers.training import teacher_net, trainer, weights


def test_a_compiled_classroom_trains_the_same_students_up_to_rounding(tmp_path: Path) -> None:
    def trained(folder: str, compiled: bool) -> dict[str, torch.Tensor]:
        teacher = teacher_net()
        classroom = Classroom(teacher, [trainer([CE(), KD(), AT()], teacher, tmp_path / folder, "student")])
        if compiled:
            assert compile.compile_classroom(classroom, "cuda", graphs=False, backend="aot_eager") is None
        fit(classroom, quick_data(), "cpu")
        return weights(classroom.trainers[0])

    eager, compiled = trained("eager", False), trained("compiled", True)
    assert eager.keys() == compiled.keys()  # a compiled network keeps its names
    for name in eager:
        torch.testing.assert_close(compiled[name], eager[name], rtol=1e-4, atol=1e-5)


class Counting:
    """A backend that counts the graphs it is given, and their calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []  # of each graph

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        number = len(self.calls)
        self.calls.append(0)

        def call(*arguments: torch.Tensor) -> Any:
            self.calls[number] += 1
            return graph.forward(*arguments)

        return call


@pytest.fixture
def counting() -> Counting:
    """Return an empty backend; the name is registered anew."""
    _COMPILER_FNS.pop("counting", None)
    register_backend(backend := Counting(), name="counting")
    return backend


def train(room: Classroom, captured: bool, steps: int, batch_size: int = 8) -> None:
    """Train for some steps, without `fit` and its evaluation; graphs are repeated calls."""
    room.to(torch.device("cpu"))
    for one in room.trainers:
        one.begin_epoch()
    trains = Capture(room, batch_size, RepeatedCalls, pytest.fail) if captured else room
    batches = trains.prefetch(quick_data(batch_size=batch_size).train.epoch(0, "cpu"))
    for _, batch in zip(range(steps), batches, strict=False):
        trains.train_step(batch, room.trainers)


@pytest.mark.parametrize("methods", [[CE, KD], [CE, KD, AT]])
@pytest.mark.parametrize("captured", [False, True])
def test_a_compiled_network_is_one_graph_and_is_called_in_each_step(
    captured: bool, methods: list[Callable[[], Method]], counting: Counting, tmp_path: Path
) -> None:
    teacher = teacher_net()
    room = Classroom(teacher, [trainer([kind() for kind in methods], teacher, tmp_path, "student")])
    assert compile.compile_classroom(room, "cuda", graphs=False, backend="counting", say=pytest.fail) is None
    counting.calls.clear()  # of the trial
    train(room, captured, steps=5)
    assert counting.calls == [5, 5]


def test_ten_networks_of_different_shapes_are_all_compiled(counting: Counting, tmp_path: Path) -> None:
    room = Classroom(None, [trainer([CE()], None, tmp_path, str(width)) for width in range(10)])
    for width, one in enumerate(room.trainers, 4):
        one.distillation.student = Tapped(QuickNet(width=width))
    assert compile.compile_classroom(room, "cuda", graphs=False, backend="counting", say=pytest.fail) is None
    counting.calls.clear()
    for one in room.trainers:
        one.distillation.student(torch.zeros(2, 3, 16, 16))
    assert counting.calls == [1] * 10


def test_a_network_that_torch_compile_would_break_into_pieces_runs_uncompiled(
    counting: Counting, tmp_path: Path
) -> None:
    said = list[str]()
    teachers = teacher_net(), teacher_net()
    teachers[0].model.register_forward_pre_hook(lambda net, images: torch._dynamo.graph_break())
    rooms = [Classroom(one, [trainer([CE(), KD()], one, tmp_path / str(i), "s")]) for i, one in enumerate(teachers)]
    assert compile.compile_classroom(rooms[0], "cuda", graphs=False, backend="counting", say=said.append) is None
    counting.calls.clear()
    train(rooms[0], True, steps=3)
    train(rooms[1], True, steps=3)
    assert counting.calls == [3]  # the student
    (line,) = said
    assert line.startswith("the teacher is not compiled: Call to `torch._dynamo.graph_break()`")
    left, right = (weights(room.trainers[0]) for room in rooms)
    for name in left:
        torch.testing.assert_close(left[name], right[name])


def test_captured_graphs_are_told_where_a_step_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: list[int] = []
    asked: list[dict[str, bool]] = []
    monkeypatch.setattr(compile, "_cannot_compile", lambda backend: None)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: marks.append(0))
    monkeypatch.setattr(Tapped, "compile", lambda net, options, **_: asked.append(options))
    teacher = teacher_net()
    classroom = Classroom(teacher, [trainer([CE(), KD()], teacher, tmp_path, name) for name in ("one", "other")])
    assert compile.compile_classroom(classroom, "cuda") is None
    assert asked == [{"triton.cudagraphs": True}] * 3
    fit(classroom, data := quick_data(), "cpu")
    assert len(marks) == classroom.epochs * data.train.steps


def test_what_a_teacher_is_compiled_to_has_its_weights_as_constants(tmp_path: Path) -> None:
    seen: list[tuple[bool, int]] = []

    def look(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., tuple[torch.Tensor, ...]]:
        seen.append((torch._inductor.config.freezing, len(inputs)))
        return graph.forward

    register_backend(look, name="look")
    teacher = teacher_net()
    classroom = Classroom(teacher, [trainer([CE(), KD()], teacher, tmp_path, "student")])
    assert compile.compile_classroom(classroom, backend="look") is None
    seen.clear()  # of the trial
    fit(classroom, quick_data(), "cpu")
    assert set(seen) == {(True, 1)}  # images
    assert not torch._inductor.config.freezing


def test_on_a_cpu_students_are_left_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Tapped] = []
    monkeypatch.setattr(compile, "_cannot_compile", lambda backend: None)
    monkeypatch.setattr(Tapped, "compile", lambda net, **_: compiled.append(net))
    teacher = teacher_net()
    classroom = Classroom(teacher, [trainer([CE(), KD()], teacher, tmp_path, "student")])
    assert compile.compile_classroom(classroom) is None
    assert compiled == [teacher]
    assert not classroom.replays


def test_where_nothing_can_be_compiled_the_classroom_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", refuse)
    classroom = Classroom(None, [trainer([CE()], None, tmp_path, "student")])
    assert compile.compile_classroom(classroom) == "not compiled: no C++ compiler"
    fit(classroom, quick_data(), "cpu")
    assert classroom.trainers[0].run.is_done


def test_large_blocks_may_be_kept_any_number_of_times() -> None:
    compile.keep_large_blocks()
    compile.keep_large_blocks()
    assert torch.zeros(1 << 22).sum() == 0
