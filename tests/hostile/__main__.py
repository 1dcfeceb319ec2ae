"""Gives commands hostile files of some 400 kinds, and looks how they end.

    python -m tests.hostile [--times 100] [--seed 0] [--only WORD] [--loud]

Each must end with one sentence and exit code 2, within 10 s of computing, and with nothing changed on disk; files that
do no harm may be read. No code of a file is run, no other program is started, no connection is made: an audit hook
watches. The tests do the same a few times.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.hostile.kinds import KINDS
from tests.hostile.trial import Ground, Trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=0, help="0: each kind once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose names have this")
    parser.add_argument("--loud", action="store_true", help="print how each ends")
    options = parser.parse_args()
    kinds = {name: maker for name, maker in KINDS.items() if options.only in name}
    with tempfile.TemporaryDirectory() as folder:
        report = (lambda line: print(line, flush=True)) if options.loud else str
        trial = Trial(Ground.make(Path(folder) / "world"), report=report)
        trial.go(kinds, options.times or len(kinds), random.Random(options.seed))
    print(", ".join(f"{count} {what}" for what, count in sorted(trial.happened.items())), f"of {len(kinds)} kinds")
    print("\n".join(trial.problems) or "each ended as it must")
    return 1 if trial.problems else 0


if __name__ == "__main__":
    sys.exit(main())
