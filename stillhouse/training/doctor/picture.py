"""A picture of each loss term's share of the gradient."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure

from ...analysis.plots import CATEGORIES, SMALL, TWO, canvas
from ...spelling import shortened
from .findings import shares
from .gradients import Norms

_LONGEST = 24  # letters of a name
_ROOM = 3.0  # percent: narrower parts of a bar have no number


def pictures(norms: Norms, named: str) -> Iterator[tuple[str, Figure]]:
    """Yield the picture with the name of its file, if anything was measured."""
    if shares(norms):
        yield "terms", picture(norms, named)


def picture(norms: Norms, named: str) -> Figure:
    """Draw the shares of all terms as a bar for each step that was looked at."""
    known = shares(norms)
    caption = (
        f"{named} Norm of the gradient of each term, weight included, over all parameters of the student but its "
        "classifier, as a share of the sum of these norms. The terms stand from left to right as in the legend."
    )
    figure = canvas(TWO, 0.75 + 0.22 * len(known), "Terms of the loss in the gradient of the first steps", caption)
    axes = figure.subplots()
    labels = [f"step {step:,}" for step in known]
    begins = [0.0] * len(known)
    for number, term in enumerate(next(iter(known.values()))):
        widths = [100 * terms[term] for terms in known.values()]
        bars = axes.barh(labels, widths, left=begins, height=0.7, color=CATEGORIES[number % len(CATEGORIES)],
                         edgecolor="white", linewidth=0.6, label=shortened(term, _LONGEST))  # fmt: skip
        numbers = [f"{width:.0f}" if width >= _ROOM else "" for width in widths]
        axes.bar_label(bars, numbers, label_type="center", color="white", fontsize=SMALL, weight="bold")
        begins = [a + b for a, b in zip(begins, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("share (%)")
    figure.legend(loc="outside right upper", frameon=False)
    return figure
