"""`stillhouse list`: methods, models, data sets and recipes in tables."""

from collections import Counter
from collections.abc import Sequence
from inspect import getdoc, signature

from ..analysis.tables import listing
from ..data import DATASETS
from ..methods.parse import catalogue
from ..models import MODELS
from ..report.recipes import published
from ..training.progress import Display


def show(what: str, display: Display, containing: str = "") -> None:
    """Show the catalogue of methods, the zoo, the data sets or the published settings."""
    headings, rows, more = LISTS[what](containing)
    rows = [row for row in rows if containing.lower() in row[0].lower()]
    if not rows:
        raise ValueError(f"none of the {what} has {containing!r} in its name; see stillhouse list {what}")
    display.console.print(listing(headings, rows))
    display.say(more)


_List = tuple[Sequence[str], Sequence[Sequence[str]], str]  # headings, rows, and a closing line


def _methods(_: str) -> _List:
    rows = [(name, _summary(cls), _weight(cls)) for name, cls in catalogue().items()]
    more = "combine them: --methods 'CE, KD(temperature=2), AT'; your own: --methods 'CE, my_kd.py:MyKD'"
    return ("method", "", "weight"), rows, more


def _models(_: str) -> _List:
    rows = [(name, f"{sum(p.numel() for p in build(100).parameters()):,}") for name, build in MODELS.items()]
    more = "and wrn_D_W for any D = 6n + 4, timm:NAME, torchvision:NAME, package.module:callable, file.py:callable"
    return ("model", "parameters (100 classes)"), rows, more


def _data(_: str) -> _List:
    rows = [
        (name, one.title, " + ".join(f"{n:,}" for n in one.images if n), str(one.classes), one.pixels, one.licence)
        for name, one in DATASETS.items()
    ]
    more = "or hf:OWNER/NAME, a folder of class folders or of parquet, arrow, tar or table files, or file.py:function"
    return ("data", "", "images", "classes", "pixels", "licence"), rows, more


def _recipes(containing: str) -> _List:
    """Return the runs whose names match; without a name, the recipes that they belong to."""
    runs = published()
    if containing:
        rows = [(name, str(run.options["methods"]), run.report()) for name, run in runs.items()]
        return ("recipe", "methods", "published"), rows, "to run one: stillhouse distill --recipe NAME"
    kinds = Counter(name.rpartition("/")[0] for name in runs)
    sources = {name.rpartition("/")[0]: run.source.partition(";")[0] for name, run in runs.items()}
    rows = [(kind, str(count), sources[kind]) for kind, count in sorted(kinds.items())]
    return ("recipe", "pairs", "source"), rows, "the pairs of one: stillhouse list recipes cifar100/dkd/"


LISTS = {"methods": _methods, "models": _models, "data": _data, "recipes": _recipes}


def _summary(documented: object) -> str:
    """Return the first paragraph of a docstring in one line."""
    return " ".join((getdoc(documented) or "").partition("\n\n")[0].split())


def _weight(cls: type) -> str:
    default = signature(cls).parameters.get("weight")
    return "" if default is None or default.default is default.empty else f"{default.default:g}"
