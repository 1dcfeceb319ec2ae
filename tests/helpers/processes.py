"""Processes of their own for tests: trained in by one command, or by several ranks as torchrun would start them.

They come from one server, which has imported what most of them need. All tests share it, so what is imported in a
process does not depend on which tests ran before. None is left behind, and none is waited for longer than a test may
take.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined] # PyTorch documents it

from stillhouse.plan import timing

PATIENCE = 120.0  # seconds, for ranks to notice that another one has failed

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("stillhouse.bench.several", "stillhouse.data.on_disk", "stillhouse.training.cache.store"),
        *("sklearn.datasets", "torchvision.transforms.v2.functional", "torch.utils.tensorboard"),
        "tests.helpers.training",
    ]
)

Task = Callable[..., int | None]  # what it returns, if anything, becomes the exit code


def started(task: Task, *arguments: object) -> ForkServerProcess:
    """Return a new process that does a task, and ends with what it returns."""
    process = _FORKS.Process(target=_do, args=(task, arguments))
    process.start()
    return process


def exit_codes(running: Sequence[ForkServerProcess], patience: float | None = None) -> list[int | None]:
    """Wait for processes, and return their exit codes: negative if a signal ended one, None if it was still running.

    Args:
        patience: Seconds without an end after which those that are still running are killed; by default they are only
            when the test's time is up.
    """
    codes: list[int | None] = [None] * len(running)
    waiting = {process.sentinel: number for number, process in enumerate(running)}
    try:
        while waiting and (ended := wait(list(waiting), patience)):
            for number in (waiting.pop(one) for one in ended if isinstance(one, int)):
                running[number].join()
                codes[number] = running[number].exitcode
                patience = PATIENCE if codes[number] and patience is None else patience
    finally:
        for process in running:
            if process.is_alive():
                process.kill()
            process.join()
    return codes


def exit_code(task: Task, *arguments: object, patience: float | None = None) -> int | None:
    """Return the exit code of a task in a process of its own; None if it was killed after so many seconds."""
    (code,) = exit_codes([started(task, *arguments)], patience)
    return code


def together(count: int, task: Task, *arguments: object) -> list[int | None]:
    """Return the exit codes of so many ranks that do the same.

    They meet at a store of this process, as those of torchrun do at its: a port that was only looked up could be
    somebody else's by the time it is used.
    """
    store = TCPStore("127.0.0.1", 0, count, is_master=True, wait_for_workers=False)
    return exit_codes([started(_rank, rank, count, store.port, task, arguments) for rank in range(count)])


def _do(task: Task, arguments: Sequence[object]) -> None:
    os.environ["PYTHONWARNINGS"] = "ignore"
    torch.set_num_threads(1)
    timing._SECONDS = 0.0  # as in tests themselves
    multiprocessing.set_start_method("fork", force=True)  # for what reads images, as where nobody forked before
    os._exit(task(*arguments) or 0)


def _rank(rank: int, count: int, port: int, task: Task, arguments: Sequence[object]) -> int | None:
    here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    here |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RESTART_COUNT": 0}
    os.environ.update({name: str(value) for name, value in here.items()})
    return task(*arguments)
