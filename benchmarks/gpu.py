"""All that is to be measured on a GPU, in one go: steps, rooms and the teacher cache of two pairs, and a whole run.

    python benchmarks/gpu.py DATA [--epochs 240] [--folder runs]

Runs the other scripts one after another, and ends for each pair with `stillhouse distill` on DATA, CIFAR-100; its
teacher is trained first if --folder has none.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PAIRS = ("resnet56:resnet20", "resnet32x4:resnet8x4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--epochs", type=int, default=240)
    parser.add_argument("--folder", default="runs")
    options = parser.parse_args()
    here = Path(__file__).parent
    for pair in PAIRS:
        timed = [pair, "--data", options.data, "--device", "cuda", "--steps", "100"]
        for script, *more in (("step.py",), ("classrooms.py", "--sizes", "1,4,8"), ("classrooms.py", "--compile")):
            subprocess.run([sys.executable, here / script, *timed, *more], check=True)
        cached = [options.data, "--pair", pair, "--device", "cuda", "--compile"]
        subprocess.run([sys.executable, here / "teacher_cache.py", *cached], check=True)
        teacher, student = pair.split(":")
        words = ["distill", "--data", options.data, "--teacher", teacher, "--student", student, "--folder"]
        words += [options.folder, "--epochs", str(options.epochs), "--compile", "true", "--baseline", "false"]
        subprocess.run([sys.executable, "-m", "stillhouse", *words], check=True)


if __name__ == "__main__":
    main()
