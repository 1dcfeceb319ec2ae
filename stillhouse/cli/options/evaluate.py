"""Options of `stillhouse evaluate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...training.run_files import read_config
from ...training.teachers.places import about_place, place_of
from ...user_code import Untrusted, refuse_code_of_run
from ..config import DeviceOptions
from ..data_options import DataOptions, reading_of
from ..networks import MeasureOptions


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
class Evaluate:
    """Measure a trained network on the held-out images of a data set; by default that of its run."""

    network: EvaluateOptions
    knowledge: MeasureOptions
    data: DataOptions
    device: DeviceOptions

    @staticmethod
    def implied(values: Mapping[str, Any], typed: Collection[str]) -> Mapping[str, object]:
        """Return the data of a network's run, and the options with which its images were read."""
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
        known = {field.name for field in dataclasses.fields(DataOptions)} - {"workers"}
        return {name: value for name, value in values.items() if name in known}
    about = about_place(place)
    return {**({"data": about["data"]} if isinstance(about.get("data"), str) else {}), **reading_of(about)}
