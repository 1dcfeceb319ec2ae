"""Interrupts `stillhouse distill` at many moments of its start, and counts how it ends: python -m tests.startup 40 8

The moments are spread evenly over so many seconds. Before Python itself has started, some hundredths of a second, no
program can answer; all that comes after must end with exit code 2 and one sentence.
"""

import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence

COMMAND = [sys.executable, "-m", "stillhouse"]


def ends(words: Sequence[str], after: float) -> tuple[int, str]:
    """Return exit code and stderr of a command that is interrupted after so many seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*COMMAND, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=600)
    return process.returncode, err


def main(moments: int, seconds: float) -> int:
    """Print a line for each kind of end, and return the number of bad ones."""
    kinds: Counter[str] = Counter()
    bad = 0
    for moment in range(1, moments + 1):
        after = seconds * moment / moments
        code, err = ends(["distill", "--epochs", "1"], after)
        good = code == 2 and err.startswith("stillhouse: ") and err.count("\n") == 1
        bad += not good
        kinds[err.strip() if good else f"BAD after {after:.2f} s: exit code {code}, {err[-200:]!r}"] += 1
    for kind, count in kinds.items():
        sys.stdout.write(f"{count:3}  {kind}\n")
    return bad


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2])))
