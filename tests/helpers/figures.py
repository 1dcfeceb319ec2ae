"""What stands where in a figure."""

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def ticks(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def caption(figure: Figure) -> str:
    return str(figure._supxlabel.get_text()).replace("\n", " ")  # type: ignore[attr-defined]


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes]


def faults(figure: Figure) -> list[str]:
    """Return what a reader could not read: texts that overlap, lie outside or are small."""
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    seen = list(_visible(figure))
    boxes = {text: text.get_window_extent(renderer) for text in seen}
    found = []
    for text, box in boxes.items():
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            found.append(f"{text.get_text()!r} is cut off")
        if float(text.get_fontsize()) < 6:
            found.append(f"{text.get_text()!r} is small")
    for one, other in combinations(seen, 2):
        first, second = boxes[one].padded(-1), boxes[other].padded(-1)
        if first.width > 0 and second.width > 0 and first.overlaps(second):
            found.append(f"{one.get_text()!r} overlaps {other.get_text()!r}")
    return found


def _visible(figure: Figure) -> Iterator[Text]:
    beyond = {id(label) for axes in figure.axes for label in _beyond(axes)}
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in beyond:
            yield text


def _beyond(axes: Axes) -> Iterator[Text]:
    """Yield labels of ticks beyond the ends of their axis, which are not drawn."""
    for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
        edge = 1e-6 * (high - low)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low - edge <= tick.get_loc() <= high + edge:
                yield from (tick.label1, tick.label2)
