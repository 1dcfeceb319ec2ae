"""House rules: what keeps the code readable, checked so that nobody has to remember.

The sets of names are files that do not keep a rule yet; they only ever shrink.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stillhouse"
SOURCES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in SOURCES.items()}
Rule = Callable[[str], object]  # the offences of a file


def length(name: str) -> list[int]:
    lines = len(SOURCES[name].read_text().splitlines())
    return [lines] if lines > 250 else []


def long_functions(name: str) -> list[str]:
    functions = (node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef))
    docstrings = {one: (ast.get_docstring(one) or "").count("\n") + 1 for one in functions}
    return [one.name for one, lines in docstrings.items() if (one.end_lineno or 0) - one.lineno + 1 - lines > 60]


def length_of_a_method(name: str) -> list[int]:
    if not re.match(r"methods/(wrappers/)?(?!parse\.py|spec\.py)\w+\.py", name):
        return []
    tree = ast.parse(SOURCES[name].read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    lines = len(ast.unparse(tree).splitlines())
    return [lines] if lines > 100 else []


def questions(name: str) -> list[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = (ast.get_docstring(node) or "" for node in ast.walk(TREES[name]) if isinstance(node, kinds))
    return [
        text.partition("\n")[0] for text in docstrings if re.match(r"(What|Whether|How|Where|Which|Who|When)\b", text)
    ]


def third_person(name: str) -> list[str]:
    """Find function docstrings that begin with "Returns" instead of "Return"."""
    functions = (node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef))
    opening = ((ast.get_docstring(one) or "").split(maxsplit=1) for one in functions)
    verbs = "Add|Ask|Build|Call|Check|Fill|Find|Give|Keep|Load|Make|Meet|Move|Put|Raise|Read|Refuse|Remove|Replace"
    verbs += "|Return|Run|Save|Say|Set|Show|Take|Tell|Train|Turn|Wait|Write|Yield"
    return [words[0] for words in opening if words and re.fullmatch(f"({verbs})s", words[0])]


def shall(name: str) -> list[str]:
    return re.findall(r".*\bshall\b.*", SOURCES[name].read_text(), re.IGNORECASE)


def ties(name: str) -> list[str]:
    """Devices, prints, cases for single methods, and methods that wait for a device in a step."""
    forbidden = [r"\.cuda\(", r"(?<!\.)\bprint\(", r"if .*method(_name)? == [\"']"]
    forbidden += [r"\.item\(\)"] if name.startswith("methods/") else []
    return [found for pattern in forbidden for found in re.findall(pattern, SOURCES[name].read_text())]


RULES: dict[Rule, set[str]] = {
    length: set(),
    long_functions: set(),
    length_of_a_method: set(),
    questions: set(),
    third_person: set(),
    shall: set(),
    ties: set(),
}


@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_every_file_keeps_the_house_rules(rule: Rule) -> None:
    offences = {name: rule(name) for name in SOURCES}
    allowed = RULES[rule]
    assert {name: found for name, found in offences.items() if found and name not in allowed} == {}


def test_folders_stay_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 14
    folders = {path.parent for path in SOURCES.values()} - {PACKAGE / "methods"}
    assert {folder.name: n for folder in folders if (n := len(list(folder.glob("*.py")))) > 20} == {}


def test_every_source_file_has_a_test_file() -> None:
    exempt = {"__init__.py", "__main__.py", "cifar100_names.py"}  # the last is a list of words
    missing = []
    for name, path in SOURCES.items():
        folder = "cli" if name.startswith("cli/options/") else Path(name).parent  # options beside what reads them
        mirror = ROOT / "tests" / folder / f"test_{path.name}"
        missing += [name] if path.name not in exempt and not mirror.is_file() else []
    assert set(missing) <= {"models/spec.py"}


def imports(name: str) -> Iterator[str]:
    """Yield the files of this package that a file imports, those for type checkers and inside functions included."""
    package = Path("stillhouse", name).parent.parts
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])][1:]
            for alias in node.names:
                for parts in ([*base, alias.name], base):
                    found = ["/".join(parts) + ".py", "/".join([*parts, "__init__.py"])]
                    hit = [one.removeprefix("/") for one in found if one.removeprefix("/") in SOURCES]
                    if hit:
                        yield hit[0]
                        break


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return every set of two files or more that all lead to each other."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = [start]
        while todo:
            new = graph[todo.pop()] - seen
            seen |= new
            todo += new
        reach[start] = seen
    groups = ({other for other in reach[one] if one in reach[other]} | {one} for one in graph)
    return {frozenset(group) for group in groups if len(group) > 1}


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert circles(graph) == {frozenset({"b", "c"})}


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = {name: set(imports(name)) for name in SOURCES if name not in ("__init__.py", "__main__.py")}
    known = {one for targets in graph.values() for one in targets}
    assert "taps.py" in known
    assert "methods/__init__.py" in known
    graph |= {name: set() for name in known - graph.keys()}
    assert circles(graph) == set()


def test_the_readme_names_what_is_at_the_top_and_nothing_that_is_not() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) < 200
    tree = readme[readme.index("## Where things are") :]
    for path in sorted(PACKAGE.iterdir()):
        if not path.name.startswith("__"):
            assert path.name in tree, path.name
    for name in re.findall(r"\b\w+\.py\b", tree):
        assert list(ROOT.rglob(name)), name
