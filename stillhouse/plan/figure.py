"""A picture of networks: how long they take against how much they compute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..analysis.plots import CATEGORIES, INK, MARKERS, PALE, TWO, canvas
from ..analysis.tables import magnitude
from .candidate import Candidate


def figures(candidates: Sequence[Candidate], names: Sequence[str], machine: str) -> Iterator[tuple[str, Figure]]:
    """Yield the picture with the name of its file, if anything is known; arguments as for `latencies`."""
    picture = latencies(candidates, names, machine)
    if picture is not None:
        yield "latency", picture


def latencies(candidates: Sequence[Candidate], names: Sequence[str], machine: str) -> Figure | None:
    """Draw latency against multiply-accumulates, a panel for each number of images; None if nothing is known.

    Args:
        names: Of the networks, as the fonts can show them.
        machine: The device, for the caption.
    """
    shown = [(one, name) for one, name in zip(candidates, names, strict=True) if one.macs and one.speeds]
    if not shown:
        return None
    images = sorted({one.images for candidate, _ in shown for one in candidate.speeds})
    threads = sorted({one.threads for candidate, _ in shown for one in candidate.speeds})
    caption = (
        f"Median time of a forward pass in eager PyTorch, float32, on {machine}; the line above ends at the 95th "
        f"percentile. Multiply-accumulates are counted, for one image."
    )
    places = [(many, count) for many in images for count in threads]
    if any(candidate.latency(*place) is None for candidate, _ in shown for place in places):
        caption += " A network that a panel lacks was not timed with so many images."
    figure = canvas(TWO, 2.4, "Latency against computation", caption)
    panels = figure.subplots(1, len(images), squeeze=False)[0]
    for axes, many in zip(panels, images, strict=True):
        for number, (candidate, _) in enumerate(shown):
            colour, marker = CATEGORIES[number % len(CATEGORIES)], MARKERS[number % len(MARKERS)]
            for count in threads:
                if (speed := candidate.latency(many, count)) is None:
                    continue
                filled = colour if count == threads[-1] else "white"
                low, high = speed.latency.p50, speed.latency.p95
                axes.vlines(candidate.macs, low, high, color=colour, linewidth=0.8)
                axes.plot(candidate.macs, low, marker, color=colour, markerfacecolor=filled, markersize=4.5)
        axes.set_title(f"{many} image{'s' * (many > 1)} at once")
        axes.set_xlabel("multiply-accumulates")
        axes.set(xscale="log", yscale="log")
        macs, times = [one.macs for one, _ in shown], [one.latency.p95 for row, _ in shown for one in row.speeds]
        fastest = min(one.latency.p50 for row, _ in shown for one in row.speeds)
        axes.set(xlim=(min(macs) / 2, 2 * max(macs)), ylim=(fastest / 1.5, 1.5 * max(times)))
        axes.grid(color=PALE, linewidth=0.5)
        axes.set_axisbelow(True)
        for axis, subs in ((axes.xaxis, (1.0, 3.0)), (axes.yaxis, (1.0, 2.0, 5.0))):
            axis.set_major_locator(LogLocator(subs=subs))
            axis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: magnitude(value).replace(".0 ", " ")))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].set_ylabel("time of a forward pass (ms)")
    handles = [
        Line2D(
            [], [], linestyle="", marker=MARKERS[i % len(MARKERS)], color=CATEGORIES[i % len(CATEGORIES)], label=name
        )
        for i, (_, name) in enumerate(shown)
    ]
    for count in threads if len(threads) > 1 else []:
        filled = INK if count == threads[-1] else "white"
        words = f"{count} thread{'s' * (count > 1)}"
        handles.append(Line2D([], [], linestyle="", marker="o", color=INK, markerfacecolor=filled, label=words))
    figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure
