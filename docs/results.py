"""Keep what a bench measured, and write the README's tables from it.

python docs/results.py keep runs/digits digits    writes ../results/benches/digits.json from the folder of a bench
python docs/results.py                            writes the tables into the README
python docs/results.py --check                    exits with code 1 if the README is stale

The weights of a teacher that is not among the runs are of unknown accuracy where the runs are of an older version;
then `keep` takes --teacher_top1, as `stillhouse evaluate` prints it.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from stillhouse.cli.arguments import named_values  # noqa: E402
from stillhouse.cli.groups.run import RunOptions  # noqa: E402
from stillhouse.report.compare import compare  # noqa: E402
from stillhouse.report.formats import as_json  # noqa: E402
from stillhouse.report.groups import Group  # noqa: E402
from stillhouse.report.records import RunRecord, read_records  # noqa: E402
from stillhouse.report.settings import in_words  # noqa: E402
from stillhouse.report.tables import grid_of, md_table  # noqa: E402
from stillhouse.spelling import counted  # noqa: E402

README, KEPT = ROOT / "README.md", ROOT / "results" / "benches"
BEGIN, END = "<!-- written by python docs/results.py -->\n", "<!-- end of what it writes -->\n"
FOOT = """\
top-1 %: mean over the seeds after the last epoch, with their standard deviation. vs CE: the mean difference to a
student that learns from labels only, over equal seeds, with its 95 % t-interval; bold if that excludes zero, as one in
twenty does by chance. best %: the best epoch on the test images, for comparison with tables that show it.
"""
COLUMNS = ("method", "top-1 %", "each seed", "vs CE", "best %")
ELSEWHERE = ("seed", "folder")  # of a configuration: the seed is beside it, the folder a matter of the machine
DERIVED = ("comparison", "settings", "differs_in", "notes")  # of the report, besides the means of each method


def keep(folder: Path, target: Path, teacher_top1: float | None = None) -> None:
    """Write the file of a bench.

    Raises:
        ValueError: If the folder does not hold one finished bench.
    """
    found = read_records([folder])
    if found.unfinished:
        raise ValueError(f"{counted(len(found.unfinished), 'run')} in {folder} not finished; wait for the bench")
    if found.damaged:
        raise ValueError(next(iter(found.damaged.values())))
    groups = compare(found.records)
    if len(groups) != 1 or groups[0].teacher is None:
        titles = "; ".join(group.title for group in groups)
        raise ValueError(f"{folder} holds more than one comparison ({titles}); give the folder of one bench")
    (content,) = json.loads(as_json(groups))
    runs = [run for method in content.pop("methods") for run in method["runs"]]
    taught = [run["config"] for run in runs if run["teacher_hash"]]
    shared = {key: value for key, value in taught[0].items() if all(one.get(key) == value for one in taught)}
    for run in [*runs, *content["teachers"]]:
        run.pop("epochs_measured", None)
        run["folder"] = Path(run["folder"]).name
        own = {} if run["teacher_hash"] is None else shared
        run["config"] = {key: value for key, value in run["config"].items() if key not in (*own, *ELSEWHERE)}
        if teacher_top1 is not None and run["teacher_hash"] and run["teacher_top1"] is None:
            run["teacher_top1"] = teacher_top1
    head = {key: value for key, value in content.items() if key not in (*DERIVED, "teachers")}
    shared = {key: value for key, value in shared.items() if key not in ELSEWHERE}
    head |= {"hours": round(_hours(runs), 2), "config": shared}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_lines(_portable(head), _portable({"teachers": content["teachers"], "runs": runs})))


def section(path: Path) -> str:
    """Return the table of a kept bench with the sentences around it."""
    content, records = read(path)
    (group,) = [one for one in compare(records) if one.teacher]
    commands = f"`stillhouse bench --config recipes/benches/{path.stem}.yaml`"
    teachers = sorted({run["teacher_top1"] for run in content["runs"] if run["teacher_top1"] is not None})
    teachers = teachers or sorted({run["top1"] for run in content["teachers"]})
    known = f" ({', '.join(f'{top1:.2f}' for top1 in teachers)} %)" if teachers else ""
    machine = sorted({f"{run['device']}, PyTorch {run['torch']}{_commit(run)}" for run in content["runs"]})
    return "\n".join(
        [
            f"**{group.data}, {group.teacher}{known} -> {group.student}**: {protocol(group)}; "
            f"{counted(len({run.seed for run in group.runs}), 'seed')}; {content['hours']:g} h on "
            f"{'; '.join(machine)}.",
            "",
            md_table(grid_of(group), COLUMNS),
            "",
            f"Trained by {commands}, kept in [results/benches/{path.name}](results/benches/{path.name}).",
            "",
        ]
    )


def protocol(group: Group) -> str:
    """Return in words the settings that are not the defaults, and the number of epochs."""
    defaults = {**named_values(RunOptions()), "epochs": None, "image_size": None}
    known = group.settings
    return in_words(known, [name for name in known if name in defaults and known[name] != _tuple(defaults[name])])


def read(path: Path) -> tuple[dict[str, Any], list[RunRecord]]:
    """Return the content of a kept bench, and its runs as a report reads them."""
    content: dict[str, Any] = json.loads(path.read_text())
    records = []
    for run in [*content["runs"], *content["teachers"]]:
        result = {**run, "data": content["data"], "network": run["network"]}
        if run["teacher_hash"]:
            result["teacher"] = {"network": content["teacher"], "weights_hash": run["teacher_hash"]}
        config = {**(content["config"] if run["teacher_hash"] else {}), **run["config"], "seed": run["seed"]}
        records.append(RunRecord(Path(run["folder"]), config, result, [], None))
    return content, records


def with_tables(page: str, kept: Path = KEPT) -> str:
    """Return a page with the tables of all kept benches between its markers."""
    text = "\n".join([*(section(path) for path in sorted(kept.glob("*.json"), reverse=True)), FOOT])
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"the README has no {BEGIN.strip()} and {END.strip()}"
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def _commit(run: Mapping[str, Any]) -> str:
    return f", commit {run['commit'][:7]}" if run["commit"] else ""


def _hours(runs: Sequence[Mapping[str, Any]]) -> float:
    """Return the time of all rooms: students that were trained side by side have the same seconds."""
    return sum({(run["seed"], run["seconds"]): float(run["seconds"]) for run in runs}.values()) / 3600


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _portable(value: Any) -> Any:
    """Return values without the folders of this machine."""
    if isinstance(value, dict):
        return {key: _portable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_portable(one) for one in value]
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "~")) else value


def _lines(head: Mapping[str, object], lists: Mapping[str, Sequence[object]]) -> str:
    """Return JSON with one line for each run."""
    parts = [f'  "{key}": {json.dumps(value)}' for key, value in head.items()]
    for key, values in lists.items():
        inside = ",\n".join(f"    {json.dumps(value)}" for value in values)
        parts.append(f'  "{key}": [\n{inside}\n  ]' if values else f'  "{key}": []')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    commands = parser.add_subparsers(dest="command")
    kept = commands.add_parser("keep", help="write the file of a bench")
    kept.add_argument("folder", type=Path, help="of the bench's runs")
    kept.add_argument("name", help="of the file in results/benches")
    kept.add_argument("--teacher_top1", type=float, help="percent, if the runs do not say it")
    asked = parser.parse_args(arguments)
    if asked.command == "keep":
        try:
            keep(asked.folder, KEPT / f"{asked.name}.json", asked.teacher_top1)
        except ValueError as error:
            parser.error(str(error))
        return 0
    page = README.read_text()
    right = with_tables(page)
    if asked.check:
        if right != page:
            print("README.md is stale: python docs/results.py")
        return int(right != page)
    README.write_text(right)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
