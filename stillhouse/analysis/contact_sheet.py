"""Images with the lowest and the highest values that a method gives them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .plots import SMALL, TWO, Numbers, canvas

_MOVED = 0.01  # values nearer to each other than this are equal at the precision that is written


def contact_sheet(series: Mapping[str, tuple[Numbers, NDArray[np.uint8]]], title: str, caption: str) -> Figure:
    """Draw, by name, images (2 M, H, W, 3) with their values (2 M,), from the lowest to the highest."""
    still = [" ".join(name.split()) for name, (values, _) in series.items() if np.ptp(values) < _MOVED]
    if still:
        where = "Nothing moved" if len(still) == len(series) else f"Nothing moved at {', '.join(still)}"
        caption += f" {where}: all images have the same value to within 0.01, and their order says nothing."
    figure = canvas(TWO, 0.6 + 0.56 * len(series), title, caption)
    grid = figure.subplots(len(series), 2, squeeze=False)
    for number, (row, (name, (values, images))) in enumerate(zip(grid, series.items(), strict=True)):
        half = len(values) // 2
        for axes, part, heading in zip(row, (slice(0, half), slice(half, None)), ("lowest", "highest"), strict=True):
            _strip(axes, values[part], images[part])
            if number == 0:
                axes.set_title(heading)
        is_still = np.ptp(values) < _MOVED
        label = f"{name}\n(nothing moved)" if is_still else name
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def _strip(axes: Axes, values: Numbers, images: NDArray[np.uint8]) -> None:
    """Draw images side by side, with their values below."""
    count, height, width = images.shape[:3]
    step = width + max(2, width // 10)
    strip = np.full((height, max(1, count) * step, 3), 255, dtype=np.uint8)
    for i, image in enumerate(images):
        strip[:, i * step : i * step + width] = image
    axes.imshow(strip, interpolation="nearest")
    axes.set_xticks([i * step + width / 2 for i in range(count)], [f"{value:.2f}" for value in values], size=SMALL)
    axes.set_yticks([])
    axes.tick_params(length=0, pad=1)
    axes.spines[:].set_visible(False)
