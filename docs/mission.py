"""The table of the mission: the methods of five published systems on their data sets and networks, with commands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stillhouse.report.recipes import published

KD = "KD(weight=1, temperature=4)"
TEXT = """# Five systems in one

Written by `python docs/generate.py` from the recipes; a test fails when it is stale.

Each system below has its own code, and what it can train is a cell here: a method (row) on a data set with a teacher
and a student (column). The last column is the command, PAIR being the column's name. A number is the published top-1 in
percent (of the epoch that [the recipe](../recipes/README.md) says), *run* a recipe without one, and *run\\** a cell
without a recipe of its own: its command gives the system's schedule other `--methods`. Data sets are read by name:
`stillhouse list data` says which are downloaded and where the others come from. `stillhouse bench --recipes ... --pairs
... --seeds 3` compares several rows, `stillhouse report` shows published numbers beside one's own.

{systems}
"""


@dataclass(frozen=True)
class Row:
    """A method of a system.

    Args:
        name: As the system calls it.
        recipes: Kinds of recipes of it, the best first: "fitnet@sakd".
        methods: For `--methods`, where no recipe has all pairs.
    """

    name: str
    recipes: tuple[str, ...]
    methods: str


@dataclass(frozen=True)
class System:
    """A published code base.

    Args:
        own: For each data set, the kinds of recipes whose pairs are its columns; the first is that of the settings of
            rows without a recipe.
        only: Rows of single data sets.
        more: A line below its tables.
    """

    title: str
    own: Mapping[str, tuple[str, ...]]
    rows: Sequence[Row]
    only: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    more: str = ""


def _plain(kd: str, suffix: str) -> list[Row]:
    """Return the rows of the benchmark's methods, with the methods beside them that a system has."""
    has = {
        "fitnet": 'FitNet(weight=100, at="stage2")',
        "at": "AT(weight=1000)",
        "sp": "SP(weight=3000)",
        "cc": 'CC(weight=0.02, correlation="consecutive")',
        "vid": "VID(weight=1)",
        "rkd": "RKD(weight=1, distance_weight=25, angle_weight=50)",
        "pkt": "PKT(weight=30000)",
        "crd": "CRD(weight=0.8)",
    }
    return [Row(name, (f"{name}{suffix}",), f"CE, {kd}{method}") for name, method in has.items()]


_BENCHMARK = [
    Row("kd", ("kd",), "CE(weight=0.1), KD(weight=0.9, temperature=4)"),
    *_plain("", ""),
    Row("abound", ("ab",), "CE, AB(warmup_epochs=30)"),
    Row("factor", ("ft",), 'CE, FT(weight=200, compare="attention", warmup_epochs=30, warmup_lr=0.01)'),
    Row("nst", ("nst",), "CE, NST(weight=50)"),
    Row("kdsvd", ("kdsvd",), 'CE, KDSVD(weight=1, rows="lines")'),
    Row("fsp", ("fsp",), "CE, FSP(warmup_epochs=30)"),
]
_SCALES = 'scales=(1, 2, 4), complementary=2, compare="correctness", pooling="nested", reduction="mean"'
_SPOTS = ("fitnet", "at", "sp", "cc", "vid", "rkd", "pkt", "ft", "nst", "crd")

SYSTEMS = (
    System(
        "DSPP: decoupled spatial pyramid pooling (Gao and Gao, ACCV 2022)",
        {"cifar100": ("dspp",), "tiny_imagenet": ("dspp",)},
        [
            Row("spp", ("dspp",), ""),
            Row("spp + kd", ("dspp+kd",), ""),
            *_BENCHMARK,
            Row("semckd", ("semckd",), f"CE, {KD}, SemCKD(weight=400)"),
        ],
        more="Its Tiny-ImageNet results were measured on training images, so none is here.",
    ),
    System(
        "SAKD: spot-adaptive distillation (Song et al., TIP 2022)",
        {"cifar100": ("at+sakd",), "tiny_imagenet": ("at+sakd",)},
        [
            Row("kd", ("kd@sakd", "kd"), "CE(weight=0.1), KD(weight=0.9, temperature=4)"),
            *(Row(f"{name}{way}", (f"{name}{way}",), "") for name in _SPOTS for way in ("@sakd", "+sakd")),
        ],
    ),
    System(
        "SDD: scale decoupled distillation (Wei et al., CVPR 2024)",
        {"cifar100": ("sd-kd",), "cub200": ("sd-kd",), "imagenet": ("sd-kd",)},
        [
            Row("SD-KD", ("sd-kd",), ""),
            Row(
                "SD-DKD",
                ("sd-dkd",),
                f"CE, Ramped(ScaleDecoupled(DKD(alpha=1, beta=8, temperature=4), {_SCALES}), epochs=20)",
            ),
            Row(
                "SD-NKD",
                ("sd-nkd",),
                f"CE, Ramped(ScaleDecoupled(NKD(gamma=8, temperature=4, all_classes=True), {_SCALES}), epochs=20)",
            ),
            Row("KD", ("kd@sdd", "kd"), "CE(weight=0.1), KD(weight=0.9, temperature=4)"),
            Row("DKD", ("dkd@sdd", "dkd"), "CE, Ramped(DKD(alpha=1, beta=8, temperature=4), epochs=20)"),
            Row("NKD", ("nkd@sdd", "nkd"), "CE, Ramped(NKD(gamma=1.5, temperature=1, all_classes=True), epochs=20)"),
        ],
        only={
            "cub200": [
                Row("SP", ("sp@sdd",), ""),
                Row("CRD", ("crd@sdd",), ""),
                Row("SemCKD", ("semckd@sdd",), ""),
                Row("ReviewKD", ("reviewkd@sdd",), "CE, Ramped(ReviewKD(weight=5), epochs=20)"),
            ]
        },
        more="Pairs of CUB-200 are the networks for 224 px of `stillhouse list models`.",
    ),
    System(
        "SemCKD: cross-layer distillation (Chen et al., AAAI 2021)",
        {"cifar100": ("semckd",), "imagenet": ("semckd",)},
        [
            Row("semckd", ("semckd",), ""),
            Row("kd", ("kd@semckd",), f"CE, {KD}"),
            *_plain(f"{KD}, ", "@semckd"),
            Row("irg", ("irg@semckd",), f"CE, {KD}, IRG(weight=0.005)"),
            Row("hkd", ("hkd@semckd",), f'CE, {KD}, HKD(weight=1, initial_weight=100, weighting="first_stage")'),
        ],
        more="HKD is two runs, see `stillhouse list recipes hkd`. Recipes pair shallow stages where its code does.",
    ),
    System(
        "PkuDavidGuan/Distillation: kd, at, sp, margin-ReLU, and their grid search",
        {"cifar100": ("kd@guan",), "cifar10": ("sp@guan",), "cinic10": ("kd@guan",)},
        [
            Row("kd", ("kd@guan",), "CE(weight=0.8), KD(weight=0.2, temperature=4, cross_entropy=True)"),
            Row("at", ("at@guan",), "CE, AT(weight=1000)"),
            Row("sp", ("sp@guan",), "CE, SP(weight=3000)"),
            Row("margin_ReLU", ("ofd@guan",), 'CE, OFD(weight=0.001, margin=-0.79788, teacher_statistics="running")'),
        ],
        more="Its grid of alpha and temperature: `stillhouse grid --config recipes/grids/guan.yaml`.",
    ),
)


def text() -> str:
    """Return the whole page."""
    return TEXT.format(systems="\n".join(_section(system) for system in SYSTEMS).rstrip())


def cells() -> Iterator[tuple[System, str, Row, str, str]]:
    """Yield every cell: system, data set, row, pair, and what is in it."""
    for system in SYSTEMS:
        for data in system.own:
            for row in [*system.rows, *system.only.get(data, ())]:
                for pair in pairs(system, data):
                    yield system, data, row, pair, cell(data, row, pair)


def pairs(system: System, data: str) -> list[str]:
    """Return the pairs of networks that a system trains on a data set."""
    kinds = [f"{data}/{kind}/" for kind in system.own[data]]
    return list(dict.fromkeys(name.rpartition("/")[2] for name in published() if name.startswith(tuple(kinds))))


def recipe_of(data: str, row: Row, pair: str) -> str | None:
    """Return the name of a cell's recipe, if it has one."""
    names = (f"{data}/{kind}/{pair}" for kind in row.recipes)
    return next((name for name in names if name in published()), None)


def cell(data: str, row: Row, pair: str) -> str:
    """Return the published number, "run" of a recipe without one, "run\\*" without a recipe, empty if nothing fits."""
    name = recipe_of(data, row, pair)
    if name is None:
        return r"run\*" if row.methods else ""
    return " or ".join(f"{top1:.2f}" for top1 in published()[name].top1.values()) or "run"


def commands(system: System, data: str, row: Row) -> dict[str, list[str]]:
    """Return the commands of a row, with PAIR for the pair, and the pairs of each."""
    found: dict[str, list[str]] = {}
    for pair in pairs(system, data):
        name = recipe_of(data, row, pair)
        kind = f"{data}/{system.own[data][0]}" if name is None else name.rpartition("/")[0]
        line = f"stillhouse distill --recipe {kind}/PAIR"
        found.setdefault(line if name else f"{line} --methods '{row.methods}'", []).append(pair)
    return found


def _section(system: System) -> str:
    tables = []
    for data in system.own:
        columns = pairs(system, data)
        lines = [["method", *columns, "command"], ["---"] * (len(columns) + 2)]
        for row in [*system.rows, *system.only.get(data, ())]:
            numbers = [cell(data, row, pair) for pair in columns]
            lines.append([row.name, *numbers, ", ".join(f"`{line}`" for line in commands(system, data, row))])
        tables.append(f"### {data}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
    return f"## {system.title}\n\n" + "\n".join(tables) + (f"\n{system.more}\n" if system.more else "")
