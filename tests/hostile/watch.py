"""What a hostile file must not bring about: programs, connections, code of its own, other files."""

from __future__ import annotations

import os
from pathlib import Path
from types import CodeType

import stillhouse

MARK = "stillhouse_canary"  # the name of a file that hostile code would write, and of a constant in it
FORBIDDEN: tuple[str, ...] = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "pty.spawn",
)
FORBIDDEN += ("subprocess.Popen", "socket.connect", "socket.getaddrinfo", "socket.bind", "os.kill")
OUR_GIT = ["git", "-C", str(Path(stillhouse.__file__).parent)]  # asks which commit of the package a run is made with
LOADING = ("import", "compile", "ctypes.dlopen", "marshal.load")  # forbidden with files from the hostile folder


def audit(event: str, args: tuple[object, ...], events: list[str], place: str) -> None:
    """Note what a hostile file must not bring about: a program, a connection, code of its own."""
    if event == "subprocess.Popen" and isinstance(args[1], list) and args[1][:3] == OUR_GIT:
        return
    is_theirs = event in LOADING and any(str(arg).startswith(place) for arg in args)
    if event in FORBIDDEN or is_theirs:
        events.append(f"{event} {args!r}"[:300])
    elif event == "exec" and args and isinstance(args[0], CodeType):
        code = args[0]
        if code.co_filename.startswith(place) or MARK in map(str, code.co_consts):
            events.append(f"code of {code.co_filename} was run")


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return everything below a folder: kind, size and time of its last change."""
    found = {}
    for inside, folders, files in os.walk(folder):
        for name in (*folders, *files):
            about = os.lstat(os.path.join(inside, name))
            when = 0 if os.path.isdir(os.path.join(inside, name)) else about.st_mtime_ns
            found[os.path.join(inside, name)] = (about.st_mode, 0 if not when else about.st_size, when)
    return found
