"""Make the README's pictures from a real run: python docs/pictures.py [FOLDER]

It runs `stillhouse distill` in FOLDER (by default a new one that is removed again), as on a terminal of 100 columns,
and then `stillhouse inspect` on the student. pictures/terminal.svg is the end of the screen, pictures/training.svg the
training curves. Where the distillation is finished already, the screen has no epochs.
"""

import contextlib
import io
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.terminal_theme import MONOKAI  # noqa: E402
from rich.text import Text  # noqa: E402

from stillhouse.__main__ import main as stillhouse  # noqa: E402
from stillhouse.training import progress  # noqa: E402

PICTURES = Path(__file__).with_name("pictures")
WIDTH, LINES = 100, 36
NO_FONTS = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # they would be downloaded


class _NoBar:
    """Stands for the live bar, which is gone at the end."""

    def __init__(self, **_: object): ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def update(self, *_: object, **__: object) -> None: ...


@contextlib.contextmanager
def recorded() -> Iterator[list[Console]]:
    """Let displays believe that they have a terminal, and yield their consoles, which remember what they print."""
    consoles: list[Console] = []

    class Recorder(progress._Console):
        def __init__(self, **options: Any):
            screen = {"file": io.StringIO(), "force_terminal": True, "color_system": "truecolor", "width": WIDTH}
            super().__init__(**{**options, **screen}, record=True)
            consoles.append(self)

    with patch.object(progress, "_Console", Recorder), patch.object(progress, "Live", _NoBar):
        yield consoles


def svg_of(screen: str, lines: int = LINES) -> str:
    """Return the end of a screen as a picture without fonts of its own."""
    shown = Text.from_ansi("\n".join(screen.rstrip().splitlines()[-lines:]))
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor")
    console.print(shown)
    return console.export_svg(title="stillhouse distill", theme=MONOKAI, code_format=NO_FONTS, unique_id="terminal")


def make(folder: Path) -> None:
    """Run the commands in a folder, and write the pictures."""
    with contextlib.chdir(folder):
        with recorded() as consoles:
            assert stillhouse(["distill"]) == 0
        (PICTURES / "terminal.svg").write_text(svg_of(consoles[0].export_text(styles=True)))
        (student,) = Path("runs").glob("*-from-*")
        assert stillhouse(["inspect", str(student)]) == 0
        (PICTURES / "training.svg").write_bytes((student / "inspection" / "training.svg").read_bytes())


def main(arguments: Sequence[str]) -> int:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as new:
        make(Path(arguments[0] if arguments else new))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
