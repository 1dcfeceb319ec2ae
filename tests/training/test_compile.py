"""The fast ways compute what the slow ones do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch._dynamo import register_backend

from stillhouse.methods import AT, CE, KD
from stillhouse.taps import Tapped
from stillhouse.training import compile
from stillhouse.training.classroom import Classroom
from stillhouse.training.loop import fit
from tests.helpers.data import quick_data
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
