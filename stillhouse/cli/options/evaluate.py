"""Options of `stillhouse evaluate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...ranges import Whole, check_options
from ...training.run_files import read_config
from ...training.teachers.places import about_place, place_of
from ...user_code import Untrusted, refuse_code_of_run
from ..groups.data import DataOptions, reading_of
from ..groups.networks import MeasureOptions
from ..groups.run import DeviceOptions
from .inspect import PictureOptions

ROBUSTNESS = 1000  # images, if the option is left out
OF_RUN = {  # words for the defaults of options that a run's folder or file tells
    field.name: "the run's, " + ("if it has one" if field.default is None else "else {}")
    for field in dataclasses.fields(DataOptions)
    if field.name != "workers"
}


@dataclass(frozen=True)
class EvaluateOptions:
    """Network to measure.

    Args:
        model: The folder of a finished run, a safetensors file of one, or a network as for `stillhouse train`.
        weights: A file with the network's weights, or the folder of a run, if `model` is a name.
    """

    model: str
    weights: str | None = None


@dataclass(frozen=True)
class ReportOptions:
    """Report, and the networks beside the student in it.

    Args:
        report: Folder to write a report to, or true for `evaluation` in the run's folder: intervals, classes, confusion
            matrix, calibration, and the student beside its teacher and the student by itself.
        against: Another network, to be compared image by image: the folder of a run, a file from one, or a file of
            weights for the same network.
        teacher: The teacher's folder or file, if it is not where the run found it any more.
        baseline: The folder of a finished run of the student by itself; by default the one that `stillhouse distill`
            trains beside it.
        robustness: Number of held-out images on which all networks are also measured under JPEG, blur, noise and
            brightness at five strengths each, 1000 if it is left out; 0 leaves it away.
    """

    report: Path | None = None
    against: str | None = None
    teacher: str | None = None
    baseline: str | None = None
    robustness: Whole | None = None

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def corrupted(self) -> int:
        """The number of images that are corrupted."""
        return ROBUSTNESS if self.robustness is None else self.robustness

    def folder(self, run: Path | None, model: str) -> Path | None:
        """Return the folder of the report; None if none is wanted.

        Args:
            run: The folder of the network's run.
            model: The network, for messages.

        Raises:
            ValueError: If it is not clear where, or nothing can be written there.
        """
        if self.report is None or str(self.report) == "false":
            return None
        if str(self.report) == "true":
            if run is None:
                raise ValueError(f"{model} is not the folder of a run; give a folder for the report: --report FOLDER")
            return run / "evaluation"
        folder = self.report.expanduser()
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--report {self.report} is a file; give a folder")
        if not folder.absolute().parent.is_dir():
            raise ValueError(f"--report: there is no folder {folder.absolute().parent}; create it first")
        return folder


@dataclass(frozen=True)
class Evaluate:
    """Measure a trained network on the held-out images of a data set; by default that of its run."""

    network: EvaluateOptions
    knowledge: MeasureOptions
    data: DataOptions
    device: DeviceOptions
    evaluation: ReportOptions
    pictures: PictureOptions

    @staticmethod
    def defaults_in_words() -> Mapping[str, str]:
        """Return words for the defaults that are not those of the options themselves."""
        return OF_RUN

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the data of a network's run, and the options with which its images were read."""
        if "report" in values and values["report"] is None:
            parts = [field.name for group in (ReportOptions, PictureOptions) for field in dataclasses.fields(group)]
            for name in parts:
                if name in typed:
                    raise ValueError(f"--{name} is about the report; add --report true, or --report FOLDER")
        place = place_of(values["model"], values["weights"])
        if place is None:
            return {}
        from ...data.own import is_own

        known = data_of_run(place)
        if "data" not in typed and is_own(str(known.get("data", ""))):
            data = str(known["data"])
            try:
                refuse_code_of_run(data.rpartition(":")[0], place if place.is_dir() else place.parent)
            except Untrusted as error:
                raise ValueError(f"{error}; if you trust it, give --data {data}") from None
            except ValueError as error:
                raise ValueError(f"{error}; give --data") from None
        return known


def data_of_run(place: Path | None) -> dict[str, object]:
    """Return the data and image options of a run's folder, or of a file from one; nothing for other names."""
    if place is None:
        return {}
    config = place / "config.yaml"
    if config.exists():
        values = read_config(config)
        return {name: value for name, value in values.items() if name in OF_RUN}
    about = about_place(place)
    return {**({"data": about["data"]} if isinstance(about.get("data"), str) else {}), **reading_of(about)}
