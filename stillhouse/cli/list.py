"""`stillhouse list`: methods, models, data sets and recipes in tables."""

from collections import Counter
from collections.abc import Sequence

from ..analysis.tables import Listing
from ..report.recipes import published
from ..training.progress import Display
from .words.data_names import data_sets
from .words.declared import Declared, imported, module_of


def show(what: str, display: Display, containing: str = "") -> None:
    """Show the catalogue of methods, the zoo, the data sets or the published settings."""
    headings, rows, more = LISTS[what](containing)
    rows = [row for row in rows if containing.lower() in row[0].lower()]
    if not rows:
        raise ValueError(f"none of the {what} has {containing!r} in its name; see stillhouse list {what}")
    display.console.print(Listing(headings, rows))
    display.say(more)


_List = tuple[Sequence[str], Sequence[Sequence[str]], str]  # headings, rows, and a closing line


def _methods(_: str) -> _List:
    found = sorted([*imported("methods"), *imported("methods/wrappers")], key=lambda item: item[0].lower())
    rows = [(name, method.summary(), _weight(method)) for name, method in found]
    more = "combine them: --methods 'CE, KD(temperature=2), AT'\nadd your own: --methods 'CE, my_kd.py:MyKD'"
    return ("method", "", "weight"), rows, more


def _models(_: str) -> _List:
    parameters = Declared.of(module_of("models"), "PARAMETERS").value()
    assert isinstance(parameters, dict)
    rows = [(name, f"{count:,}") for name, count in parameters.items()]
    more = "and wrn_D_W for any D = 6n + 4, timm:NAME, torchvision:NAME, package.module:callable, file.py:callable"
    return ("model", "parameters (100 classes)"), rows, more


_FACTS = ("name", "title", "licence", "images", "classes", "pixels")  # of a data set


def _data(_: str) -> _List:
    rows = []
    for name, title, licence, images, *others in (one.arguments(*_FACTS).values() for one in data_sets()):
        assert isinstance(images, tuple)
        counts = " + ".join(f"{n:,}" for n in images if n)
        rows.append((str(name), f"{title}. Licence: {licence}", counts, *map(str, others)))
    more = (
        "images: training + validation, if there are any, + test\n"
        "also hf:OWNER/NAME, a folder of class folders or of parquet, arrow, tar or table files, or file.py:function"
    )
    return ("data", "", "images", "classes", "pixels"), rows, more


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


def _weight(method: Declared) -> str:
    default = method.default("weight")
    return f"{default:g}" if isinstance(default, int | float) else ""
