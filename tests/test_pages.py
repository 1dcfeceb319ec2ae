"""Every command on the pages and in the README is one that the package takes; those that end in seconds are run."""

import json
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from stillhouse import data
from stillhouse.__main__ import main
from stillhouse.bench.entries import entries
from stillhouse.cli import arguments, parser
from stillhouse.cli.options.bench import Bench
from stillhouse.cli.options.distill import Distill
from stillhouse.cli.options.grid import Grid
from stillhouse.cli.runs import command
from stillhouse.data import Arrays
from stillhouse.export.preprocessing import Preprocessing
from stillhouse.models import MODELS
from tests.helpers.commands import METHOD
from tests.test_docs import BLOCKS, coloured

ROOT = Path(__file__).parents[1]
TESTED_ELSEWHERE = ("mission", "your_own_method", "your_own_network", "your_own_data")  # test_mission, test_docs
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "recipes/README.md")]
PAGES += [page for page in sorted((ROOT / "docs").glob("*.md")) if page.stem not in TESTED_ELSEWHERE]
COMMAND = re.compile(r"(?:^|&& |\| |-m )(stillhouse \w.*?)(?= [|>&]|$)")
SMALL = ["--image_size", "8", "--batch_size", "32", "--device", "cpu"]
TINY = {  # by command: words that make it end in seconds
    "train": [*SMALL, "--epochs", "1"],
    **{name: [*SMALL, "--epochs", "1", "--trust_teacher", "true"] for name in ("distill", "bench", "grid")},
    "cache": [*SMALL, "--trust_teacher", "true"],
    "export": ["--compiled", "false"],
}
ONLY_PARSED = {  # part of a command: the reason why it is not run here
    "timm:resnet50": "a network of 24 million parameters; networks of timm train in tests/models/test_libraries.py",
    **dict.fromkeys(("timm:resnet18", "torchvision:resnet18"), "the same"),
    "recipes/benches/": "an hour; what it gave is read by tests/test_results.py",
    "--recipe": "a network of the published size; each recipe takes a step in tests/test_every_recipe.py",
    "--ray": "a cluster is started; tests/bench/test_jobs.py",
    "--processes": "processes are started; tests/bench/test_run.py",
    "--room": "a job of a batch system; tests/test_docs.py runs its script",
    "--compile": "minutes of a C++ compiler; tests/training/test_compile.py",
    "--to int8": "ten seconds; tests/export/test_int8.py",
    "--to pt2": "ten seconds; tests/export/test_files.py",
    "torchrun": "several processes; tests/test_distributed.py",
    "onnx/student.onnx": "a file of ONNX is predicted with in tests/export/test_predict.py",
    "--max_latency": "a busy machine is too slow for it; tests/cli/test_pick.py chooses by made-up latencies",
    "bench --pairs": "nine students; the shorter bench of bench.yaml is run here",
    "--memory_budget": "the same bench once more",
    **dict.fromkeys(("report.html", "--pictures"), "charts take five seconds; tests/cli/test_report.py writes them"),
    "plan digits": "ten seconds; tests/cli/test_plan.py plans",
    "inspect runs/": "its figures take ten seconds; tests/cli/test_inspect.py draws them",
    "--report": "its figures take ten seconds; tests/cli/summary/test_evaluation.py writes reports",
    "runs rm": "the run is needed; tests/cli/runs/test_command.py",
    "check my_kd.py": "all laws; tests/contract/test_check.py",
    "'CE + KD; CE + DKD' --seeds": "six students; tests/cli/test_distill.py trains several",
}
WITHOUT_OPTIONS = {"list": parser._list_words, "check": parser._method_word, "runs": command._words}


@dataclass(frozen=True)
class Typed:
    """A command as it stands on a page."""

    page: str
    text: str
    line: str  # that it stands in
    is_named: bool = False  # in a sentence, where words may be left out

    @property
    def reason(self) -> str | None:
        """Why it is not run here; None if it is."""
        return next((why for part, why in ONLY_PARSED.items() if part in self.line), None)


def in_blocks(text: str) -> Iterator[str]:
    """Yield the lines of a page that are code, without the output of programs."""
    for kind, block in BLOCKS.findall(text):
        if kind != "text":
            yield from block.replace("\\\n", " ").splitlines()
    for line in BLOCKS.sub("", text).splitlines():
        if line.startswith("    "):
            yield line.strip()


def in_sentences(text: str) -> Iterator[str]:
    """Yield the commands with arguments that are named in sentences and tables."""
    for words in re.findall(r"`(stillhouse \w+ [^`]+)`", re.sub(r"(?m)^(    .*|```(.|\n)*?^```)$", "", text)):
        if not words.split()[-1].startswith("--"):  # which names an option
            yield re.sub(r"\s+", " ", words)


def typed() -> Iterator[Typed]:
    for page in PAGES:
        text = page.read_text()
        for is_named, lines in ((False, in_blocks(text)), (True, in_sentences(text))):
            for line in lines:
                for found in COMMAND.findall(line):
                    words = " ".join(re.sub(r" # .*", "", found).split())
                    yield Typed(str(page.relative_to(ROOT)), words, line, is_named)


TYPED = list({one.text: one for one in sorted(typed(), key=lambda one: one.is_named, reverse=True)}.values())
RUN = [one for one in TYPED if one.reason is None and not one.is_named]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that the pages name: a run, a distillation, a method, pictures at home; data sets are tiny."""

    def easy(folder: Path) -> Arrays:
        return Arrays("digits", "no digits", *coloured(80), *coloured(40), tuple("0123456789"), flip=False)

    root = tmp_path_factory.mktemp("ground")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("digits", "cifar100"):
            patch.setitem(data.DATASETS, name, replace(data.DATASETS["digits"], read=easy))
        for large in ("resnet14", "resnet20", "resnet32", "resnet56"):
            patch.setitem(MODELS, large, MODELS["resnet8"])
        patch.setenv("HOME", str(root))
        patch.chdir(root)
        for split, count in (("train", 80), ("val", 40)):
            for number, (pixels, label) in enumerate(zip(*coloured(count), strict=True)):
                folder = root / "pets" / split / str(int(label))
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.numpy()).save(folder / f"{number}.png")
        for name in ("photos/a.jpg", "holidays/b.jpg", "scans/c.tif", "photo.jpg"):
            (root / name).parent.mkdir(exist_ok=True)
            Image.fromarray(coloured(1)[0][0].numpy()).resize((12, 9)).save(root / name)
        (root / "my_kd.py").write_text(METHOD)
        (root / "bench.yaml").write_text("methods: CE, CE + KD\nseeds: 1\n")
        (root / "grid.yaml").write_text("grid: lr=0.1,0.2\n")
        (root / "distill.yaml").write_text("seed: 1\n")
        assert main(["distill", *SMALL, "--epochs", "3", "--trust_teacher", "true"]) == 0
        run = next(root.glob("runs/digits-resnet8-from-*-epochs3-*"))
        (root / "student.safetensors").write_bytes((run / "student.safetensors").read_bytes())
        yield root


def words_of(text: str, root: Path) -> list[str]:
    """Return the words of a command, with what exists here in the place of what only has a name on the page."""
    run = next(root.glob("runs/digits-resnet8-from-*-epochs3-*"))
    places = {"runs/<a run>": run, "runs/<a distillation>": run, "RUN": run, "FOLDER": root / "pets"}
    for name, place in places.items():
        text = re.sub(rf"(?<![\w/]){re.escape(name)}(?!\w)", f"'{place}'", text)
    file = f"{text.split()[1]}.yaml"
    text = text.replace("$SLURM_ARRAY_TASK_ID", "1").replace("--config FILE", f"--config {file}")
    return shlex.split(text.replace(" ~/", f" {root}/").replace(" recipes/", f" {ROOT}/recipes/"))[1:]


PARSED = [one for one in TYPED if one not in RUN]


@pytest.mark.parametrize("one", PARSED, ids=[f"{one.page}: {one.text[:60]}" for one in PARSED])
def test_every_other_command_is_one_that_the_package_takes(one: Typed, ground: Path) -> None:
    name, *words = words_of(one.text, ground)
    if name in WITHOUT_OPTIONS:
        assert WITHOUT_OPTIONS[name](words)
        return
    about = parser._COMMANDS[name]
    if name == "inspect" and words[0].endswith("pets"):
        about = parser._INSPECT_DATA
    options = arguments.parse(name, about.options, words, about.positional)
    if isinstance(options, Distill):
        assert entries(options.distillation.methods, None)
    if isinstance(options, Bench):
        assert entries(options.bench.methods or "CE", options.bench.recipes)
    if isinstance(options, Grid) and not one.is_named:
        assert options.grid.axes


@pytest.mark.parametrize("one", RUN, ids=[one.text[:70] for one in RUN])
def test_commands_that_end_in_seconds_run(
    one: Typed, ground: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *words = words_of(one.text, ground)
    monkeypatch.setattr("sys.stdin", iter(["photo.jpg\n"]))
    assert main([name, *words, *TINY.get(name, [])]) == 0
    out, err = capsys.readouterr()
    assert err == "" or "-o" in words or "--format" in words
    assert out or "-o" in words


def test_every_reason_is_one_for_a_command() -> None:
    assert [part for part in ONLY_PARSED if not any(part in one.line for one in TYPED)] == []
    files = re.findall(r"tests/[\w/]+\.py", " ".join(ONLY_PARSED.values()))
    assert [name for name in files if not (ROOT / name).is_file()] == []
    assert len(TYPED) > 50
    assert len(RUN) > 20


def test_what_pages_install_are_extras_and_what_they_start_are_files() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"(?:stillhouse|\.)\[(\w+)\]'", text)) <= extras.keys()
        assert [
            path for path in re.findall(r"python ((?:docs|benchmarks)/\w+\.py)", text) if not (ROOT / path).is_file()
        ] == []
        modules = re.findall(r"python -m ((?:tests|benchmarks)[\w.]+)", text)
        assert [one for one in modules if not list(ROOT.glob(f"{one.replace('.', '/')}*"))] == []


@pytest.mark.parametrize("share", [1.0, 0.875], ids=["in memory", "on disk"])
def test_images_prepared_as_the_page_says_are_those_that_a_student_is_given(
    ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    blocks = BLOCKS.findall((ROOT / "docs" / "shipping.md").read_text())
    (block,) = (block for kind, block in blocks if kind == "python")
    with safe_open(ground / "student.safetensors", "pt") as file:
        about = {**json.loads(file.metadata()["stillhouse"]), "share": share}
    weights = load_file(ground / "student.safetensors")
    save_file(weights, tmp_path / "student.safetensors", {"stillhouse": json.dumps(about)})
    (tmp_path / "photo.jpg").write_bytes((ground / "photo.jpg").read_bytes())
    (tmp_path / "prepare.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    found = runpy.run_path("prepare.py")
    steps = Preprocessing.of_header(about, "student.safetensors")
    right = steps.normalise(steps.pixels(Path("photo.jpg").read_bytes(), "photo.jpg")[None])
    assert torch.equal(found["images"], right)
    assert found["logits"].shape == (1, 10)
