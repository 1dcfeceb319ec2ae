"""Scalars for TensorBoard, where it is installed."""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path


class EventFile:
    """A new file of scalars, each on disk by the time `add` returns.

    TensorBoard's own writers use a thread, whose traceback would appear beside the error message on a full disk.

    Args:
        folder: Folder in which TensorBoard looks for it.
        first: The first step of this file; entries of older files from this step on are hidden.
    """

    def __init__(self, folder: Path, first: int):
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        name = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._path = folder / name
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
        begin = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=first, session_log=begin).SerializeToString())

    def add(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of a step by name.

        Raises:
            OSError: If the disk is full.
        """
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)).SerializeToString())

    def close(self) -> None:
        os.close(self._file)

    def _write(self, event: bytes) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        framed = io.BytesIO()
        RecordWriter(framed).write(event)
        try:
            if os.write(self._file, framed.getvalue()) < len(framed.getvalue()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            error.filename = str(self._path)
            raise
