"""Draws what step.py measured: docs/speed.svg out of results/speed.csv.

    python benchmarks/chart.py

A bar is how many times faster a step is than the textbook's beside it, of the last measurement of each pair and method
on a CPU.
"""

import csv
from pathlib import Path

from matplotlib.figure import Figure

from stillhouse.analysis import plots

COLORS = {"eager": plots.THIRD, "compiled": plots.STUDENT}


def ratios() -> dict[str, dict[str, float]]:
    """Of each pair and method, the variants' ratios."""
    found: dict[str, dict[str, float]] = {}
    with Path("results/speed.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["device"] == "cpu" and row["variant"] != "textbook":
                label = f"{row['pair'].replace(':', ' → ')}, {row['method']}"
                found.setdefault(label, {})[row["variant"]] = float(row["times_faster"])
    return found


def main() -> None:
    bars = ratios()
    with plots.style():
        figure = Figure(figsize=(6.5, 0.8 + 0.42 * len(bars)), layout="constrained")
        axes = figure.subplots()
        for offset, (variant, color) in zip((-0.19, 0.19), COLORS.items(), strict=True):
            values = [one.get(variant, 0.0) for one in bars.values()]
            places = [place + offset for place in range(len(bars))]
            drawn = axes.barh(places, values, 0.36, label=variant, color=color)
            axes.bar_label(drawn, fmt="%.2f", padding=2, fontsize=7.5)
        axes.axvline(1, color=plots.FAINT, linewidth=0.8)
        axes.set_yticks(range(len(bars)), list(bars))
        axes.invert_yaxis()
        axes.set_xlabel("times faster than the textbook's step, on one CPU")
        axes.legend(frameon=False, loc="lower right")
        figure.savefig("docs/speed.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
