"""Scalars for TensorBoard."""

import errno
import os
from pathlib import Path

import pytest

from stillhouse.training.run_folder import Run

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def test_tensorboard_gets_every_number_of_an_epoch(tmp_path: Path) -> None:
    with Run(tmp_path, "run", {}) as run:
        for epoch in (1, 2):
            run.chart({"epoch": epoch, "phase": "distillation", "CE": 2.0 / epoch, "CTKD.temperature": 4.0})
    events = accumulator.EventAccumulator(str(run.folder)).Reload()
    assert sorted(events.Tags()["scalars"]) == ["CE", "CTKD/temperature"]
    assert [(event.step, event.value) for event in events.Scalars("CE")] == [(1, 2.0), (2, 1.0)]


def test_what_was_written_behind_the_point_of_resuming_is_hidden(tmp_path: Path) -> None:
    for epochs, value in (((1, 2, 3), 1.0), ((3, 4), 2.0)):
        with Run(tmp_path, "run", {}) as run:
            for epoch in epochs:
                run.chart({"epoch": epoch, "CE": value})
    events = accumulator.EventAccumulator(str(run.folder)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("CE")] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


@pytest.mark.parametrize("cut", [False, True])
def test_a_full_disk_is_one_error_and_no_thread_s_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cut: bool
) -> None:
    write = os.write

    def full(file: int, content: bytes) -> int:
        if not cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content[: len(content) // 2])

    with Run(tmp_path, "run", {}) as run:
        run.chart({"epoch": 1, "CE": 2.0})
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", full)
            with pytest.raises(OSError, match="No space left on device") as caught:
                run.chart({"epoch": 2, "CE": 1.0})
    assert "events.out.tfevents" in str(caught.value.filename)
    assert capfd.readouterr() == ("", "")
    events = accumulator.EventAccumulator(str(run.folder)).Reload()
    assert [event.step for event in events.Scalars("CE")] == [1]
