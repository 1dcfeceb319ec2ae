"""The `stillhouse` command. Heavy imports wait until they are needed, so help appears at once."""

import importlib.util
import io
import sys
from collections.abc import Sequence

from .cli.startup import quick_to_end

COMMANDS = {
    "plan": "time a distillation and its students before any training",
    "distill": "train a small network to match a trained one",
    "bench": "compare methods: pairs x methods x seeds, side by side",
    "grid": "vary settings of one student, and choose by validation images",
    "pick": "choose the best of students that are fast enough, in a given time",
    "train": "train a network by itself: teachers, baselines",
    "evaluate": "measure a trained network on a data set",
    "export": "write a student for other programs, with proof that it is right",
    "predict": "name the classes of image files",
    "probe": "measure a trained network's features on another data set",
    "cache": "save a teacher's outputs, so that students need not wait for it",
    "inspect": "draw what a distillation learned, or what a data set holds",
    "report": "compare finished runs: tables, statistics, a page of charts",
    "runs": "list runs and how far they are; resume or remove one",
    "check": "test a method of your own against the contract, in seconds",
    "list": "list methods, models, data sets and recipes",
}

ELSEWHERE = {  # commands that other tools have
    "classify": "Use predict",
    "infer": "Use predict",
    "convert": "Use export",
    "quantize": "Use export --to int8",
    "test": "Use evaluate",
    "eval": "Use evaluate",
    "validate": "Use evaluate",
    "confusion": "Use inspect",
    "resume": "Use stillhouse runs resume RUN, or run the command again that began it",
    "ls": "Use stillhouse runs, or stillhouse list",
    "rm": "Use stillhouse runs rm RUN",
}

HELP = f"""usage: stillhouse COMMAND [--option VALUE ...]

stillhouse distils image classifiers: it takes a trained teacher network and
trains a small student that comes close.

commands:
{chr(10).join(f"  {name:10} {what}" for name, what in COMMANDS.items())}

  stillhouse COMMAND --help   all options of a command
  stillhouse --version        the version

first steps:
  stillhouse distill
      everything on scikit-learn's digits, in a minute or less: a teacher,
      a student by itself, a distilled student
  stillhouse train --data cifar100 --model resnet56
  stillhouse distill --data cifar100 --teacher resnet56 --student resnet20 \\
      --methods CE,KD,AT
  stillhouse distill --data ~/pets --student torchvision:resnet18 \\
      --teacher timm:resnet50 --teacher_weights pets.pth
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    It is 0, 1 where a command did what it could and says what is wrong with the outcome, or 2 after a sentence on
    stderr that says why there is none.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may hold letters that a terminal lacks
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(HELP)
        return 0
    if arguments[0] == "--version":
        sys.stdout.write(f"stillhouse {_version()}\n")
        return 0
    if arguments[0] not in COMMANDS:
        return _refuse(f"there is no command {arguments[0]!r}.{_meant(arguments[0])} See stillhouse --help")
    if importlib.util.find_spec("fcntl") is None:
        return _refuse("runs on Linux and macOS only; on Windows use it inside WSL (Windows Subsystem for Linux)")
    with quick_to_end():
        from .cli.parser import run

        return run(arguments[0], arguments[1:])


def _refuse(why: str) -> int:
    from .spelling import sentence

    sys.stderr.write(f"stillhouse: {sentence(why)}\n")
    return 2


def _meant(command: str) -> str:
    from .spelling import nearest

    return f" {ELSEWHERE[command]}." if command in ELSEWHERE else nearest(command, COMMANDS)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("stillhouse")
    except PackageNotFoundError:
        return "from a folder, not installed"


if __name__ == "__main__":
    sys.exit(main())
