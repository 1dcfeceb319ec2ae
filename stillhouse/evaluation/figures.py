"""The pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from ..analysis.class_changes import class_changes
from ..analysis.confusion import confusion
from ..analysis.reliability import reliability
from ..data import Data
from .measured import by_role
from .mistake_sheet import images_of, sheet
from .report import Report
from .robustness_curves import curves


def figures(report: Report, names: Sequence[str], named: str, data: Data) -> Iterator[tuple[str, Figure]]:
    """Yield every picture with the name of its file.

    Args:
        names: Classes, in letters that the fonts have.
        named: The networks and the data, for captions, likewise.
        data: The images of the mistakes.
    """
    networks = by_role(report.networks)
    yield "confusion", confusion(networks, names, f"{named}.")
    yield "reliability", reliability(networks, f"{named}.")
    scaled = {one.role: one.calibration.scaled for one in report.networks if one.calibration}
    if scaled.keys() >= networks.keys():
        caption = f"{named}. After temperature scaling: each half of the images by the temperature of the other half."
        both = {role: scaled[role] for role in networks}
        yield "reliability_scaled", reliability(both, caption, "Reliability after temperature scaling")
    if len(networks) > 1:
        yield "classes", class_changes(networks, names, f"{named}.")
    if report.mistakes:
        wrong = len(report.networks[0].scores.labels) - report.networks[0].right
        yield "mistakes", sheet(report.mistakes, images_of(report.mistakes, data), names, wrong, f"{named}.")
    if report.robustness is not None:
        yield "robustness", curves(report.robustness, f"{named}.")
