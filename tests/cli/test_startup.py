"""Ctrl-C during start-up: one sentence and exit code 2, whatever is being imported. PyTorch's remarks."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillhouse.cli.startup import begun, quick_to_end, without_remarks

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def handler_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert [signal.getsignal(number) for number in numbers] == before


@pytest.mark.parametrize(
    ("swallow", "number"),
    [("pass", signal.SIGINT), ("raise SystemExit(0)", signal.SIGINT), ("pass", signal.SIGTERM)],
)
def test_an_interruption_while_pytorch_is_imported_is_a_sentence(
    tmp_path: Path, swallow: str, number: signal.Signals
) -> None:
    (tmp_path / "torch.py").write_text(
        "import sys, time\nprint('importing', flush=True)\n"
        f"try:\n    time.sleep(60)\nexcept BaseException:\n    {swallow}\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "stillhouse", "train"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload] # pipes
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (2, "stillhouse: interrupted before it began\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_it_has_begun_an_interruption_is_an_exception_again(number: signal.Signals) -> None:
    with quick_to_end():
        begun()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    begun()  # outside of start-up it changes nothing


def test_other_threads_leave_signals_alone() -> None:
    failed: list[BaseException] = []

    def use() -> None:
        try:
            with quick_to_end():
                begun()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert failed == []


def test_of_a_missing_gpu_pytorch_says_nothing_and_of_other_things_as_before(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("torch.utils.cpp_extension")
    before = list(logger.filters)
    try:
        without_remarks()
        without_remarks()
        assert len(logger.filters) <= len(before) + 1
        logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local")
        logger.warning("the C++ compiler is too old")
    finally:
        logger.filters[:] = before
    assert caplog.messages == ["the C++ compiler is too old"]
