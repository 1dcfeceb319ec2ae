"""Options of `stillhouse inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...ranges import Count, check_options
from ...spelling import nearest_path
from ...training.run_files import read_config, read_result
from ..groups.run import DeviceOptions


@dataclass(frozen=True)
class InspectOptions:
    """Finished distillation to inspect.

    Args:
        run: The folder of a finished distillation.
        teacher: The teacher's folder, file or name, if it is not where the run found it any more.
        data: The data set's folder, if it was moved.
        baseline: The folder of a finished run of the student by itself, to be drawn beside it; by default the one that
            `stillhouse distill` trains beside it.
        images: Number of test images, sampled at random, on which the networks' features are compared.
    """

    run: str
    teacher: str | None = None
    data: str | None = None
    baseline: str | None = None
    images: Count = 1000

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def folder(self) -> Path:
        return Path(self.run).expanduser()

    def config(self) -> Path:
        """Return the file with the configuration of the run.

        Raises:
            ValueError: If it is not a finished distillation.
        """
        if not self.folder.is_dir():
            raise ValueError(
                f"there is no folder or data set {self.run}{nearest_path(self.run)}; give a finished run of stillhouse "
                f"distill, or data"
            )
        read_result(self.folder)
        path = self.folder / "config.yaml"
        if not path.exists() or "methods" not in read_config(path):
            raise ValueError(
                f"{self.run} is the run of a network that learned by itself; give that of a run of stillhouse distill"
            )
        return path

    def instead(self) -> dict[str, object]:
        """Return the options that replace those of the run's configuration."""
        moved: dict[str, object] = {"folder": self.folder.absolute().parent}
        if self.teacher is not None:
            moved |= {"teacher": self.teacher, "teacher_weights": None}
        return moved if self.data is None else {**moved, "data": self.data}


@dataclass(frozen=True)
class PictureOptions:
    """Files of the pictures.

    Args:
        format: Formats of the pictures: svg, png, pdf, or several of them with commas. The page of `stillhouse report`
            shows the svg.
    """

    format: str = "svg,png,pdf"

    def __post_init__(self) -> None:
        if not self.formats or set(self.formats) - {"svg", "png", "pdf"}:
            raise ValueError(f"--format takes svg, png, pdf, or several of them with commas, not {self.format!r}")

    @property
    def formats(self) -> list[str]:
        return list(dict.fromkeys(word.strip() for word in self.format.split(",") if word.strip()))

    def in_words(self) -> str:
        """Return ".svg, .png and .pdf"."""
        *others, last = (f".{one}" for one in self.formats)
        return f"{', '.join(others)} and {last}" if others else last


@dataclass(frozen=True)
class Inspect:
    """Write figures and tables of what a finished distillation learned into RUN/inspection."""

    inspection: InspectOptions
    pictures: PictureOptions
    device: DeviceOptions
