"""Code that came with a run is not run, whichever of its files names it, from wherever the command is typed."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from stillhouse.__main__ import main
from stillhouse.checkpoints import about_weights
from tests.helpers.commands import World

Capture = pytest.CaptureFixture[str]


@dataclass
class Gift:
    """What was unpacked from one archive: a run, and code that leaves a mark when it is run."""

    root: Path
    world: World
    patch: pytest.MonkeyPatch

    @property
    def run(self) -> Path:
        return self.root / "deep" / "runs" / "run"

    @property
    def trap(self) -> Path:
        return self.root.parent / "trap"

    def code(self, place: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"import pathlib\npathlib.Path({str(self.trap)!r}).touch()\ndef go(*_, **__): raise SystemExit\nKD2 = go\n"
        )
        return path

    def says(self, **about: object) -> str:
        """Write into the header of the weights."""
        file = self.run / "model.safetensors"
        weights = load_file(file)
        save_file(weights, file, {"stillhouse": json.dumps(about_weights(file) | about)})
        result = json.loads((self.run / "result.json").read_text())
        result = {name: value for name, value in result.items() if name not in ("checksums", *about)}
        (self.run / "result.json").write_text(json.dumps(result))
        return str(self.run)

    def configured(self, **values: object) -> str:
        file = self.run / "config.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | values))
        return str(file)

    def images(self) -> list[str]:
        return ["--data", str(self.world.pictures), "--device", "cpu"]


@pytest.fixture
def gift(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gift:
    made = Gift(tmp_path / "downloads" / "gift", world, monkeypatch)
    shutil.copytree(world.teacher, made.run)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return made


def header_names_a_file(gift: Gift) -> list[str]:
    return ["evaluate", gift.says(network=f"{gift.code('code/net.py')}:go"), *gift.images()]


def header_names_a_relative_path(gift: Gift) -> list[str]:
    gift.code("code/net.py")
    return ["evaluate", gift.says(network="../downloads/gift/deep/../code/net.py:go"), *gift.images()]


def header_names_a_place_at_home(gift: Gift) -> list[str]:
    gift.code("code/net.py")
    gift.patch.setenv("HOME", str(gift.root.parent))
    return ["evaluate", gift.says(network="~/gift/code/net.py:go"), *gift.images()]


def header_names_a_module_on_the_path(gift: Gift) -> list[str]:
    gift.code("package/net.py")
    gift.patch.syspath_prepend(gift.root)
    return ["evaluate", gift.says(network="package.net:go"), *gift.images()]


def header_names_what_a_link_leads_to(gift: Gift) -> list[str]:
    gift.code("code/net.py")
    Path("mine").symlink_to(gift.root / "code")
    Path("runs").symlink_to(gift.run.parent)
    gift.says(network="mine/net.py:go")
    return ["evaluate", "runs/run", *gift.images()]


def header_of_a_file_alone(gift: Gift) -> list[str]:
    gift.says(network=f"{gift.code('code/net.py')}:go")
    return ["evaluate", str(gift.run / "model.safetensors"), *gift.images()]


def header_of_a_teacher(gift: Gift) -> list[str]:
    name = gift.says(network=f"{gift.code('deep/runs/run/net.py')}:go")
    return ["distill", "--teacher", name, "--student", "resnet8", "--epochs", "1", *gift.images()]


def header_of_a_teacher_to_cache(gift: Gift) -> list[str]:
    name = gift.says(network=f"{gift.code('deep/runs/net.py')}:go")
    return ["cache", "--teacher", name, "--epochs", "1", *gift.images()]


def config_names_data(gift: Gift) -> list[str]:
    gift.configured(data=f"{gift.code('code/data.py')}:go")
    return ["evaluate", str(gift.run), "--device", "cpu"]


def config_names_data_beside_typed_weights(gift: Gift) -> list[str]:
    gift.configured(data=f"{gift.code('code/data.py')}:go")
    return ["evaluate", f"{gift.world.nets}:wide", "--weights", str(gift.run), "--device", "cpu"]


def header_of_a_file_names_data(gift: Gift) -> list[str]:
    gift.says(network="resnet8", data=f"{gift.code('code/data.py')}:go")
    return ["evaluate", str(gift.run / "model.safetensors"), "--device", "cpu"]


def config_given_names_a_network(gift: Gift) -> list[str]:
    return ["train", "--config", gift.configured(model=f"{gift.code('code/net.py')}:go"), *gift.images()]


def config_given_names_data(gift: Gift) -> list[str]:
    config = gift.configured(data=f"{gift.code('code/data.py')}:go")
    return ["train", f"--config={config}", "--model", "resnet8"]


def config_given_names_methods(gift: Gift) -> list[str]:
    config = gift.run / "config.yaml"
    config.write_text(yaml.safe_dump({"methods": f"CE, {gift.code('code/kd.py')}:KD2(weight=1)"}))
    Path("innocent.yaml").symlink_to(config)
    return ["distill", "--config", "innocent.yaml", "--teacher", str(gift.world.teacher), *gift.images()]


def config_given_names_a_class_for_an_option(gift: Gift) -> list[str]:
    gift.code("package/net.py")
    gift.patch.syspath_prepend(gift.root)
    config = gift.configured(anatomy={"class_path": "package.net.go", "init_args": {}})
    return ["train", "--config", config, "--model", "resnet8", *gift.images()]


def config_holds_tags(gift: Gift) -> list[str]:
    (gift.run / "config.yaml").write_text(f"data: !!python/object/apply:os.mkdir [{gift.trap}]\n")
    return ["evaluate", str(gift.run), "--device", "cpu"]


def inspected_run_names_methods(gift: Gift) -> list[str]:
    gift.configured(methods=f"CE, {gift.code('code/kd.py')}:KD2", teacher=str(gift.world.teacher))
    config = gift.run / "config.yaml"
    kept = {n: v for n, v in yaml.safe_load(config.read_text()).items() if n not in ("model", "weights", "anatomy")}
    config.write_text(yaml.safe_dump({"data": str(gift.world.pictures), **kept}))
    return ["inspect", str(gift.run), "--data", str(gift.world.pictures), "--device", "cpu"]


def state_of_a_run_to_go_on_with(gift: Gift) -> list[str]:
    """The names of its folder are those of the user's own command, its state is a program."""
    words = ["train", "--model", "resnet8", *gift.images(), "--epochs", "1", "--folder", "runs"]
    assert main(words) == 0
    (run,) = Path("runs").iterdir()
    for file in ("result.json", "model.safetensors"):
        (run / file).unlink()
    trap = gift.trap

    class Program:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return Path.touch, (trap,)

    torch.save({"epoch": Program()}, run / "state.pt")
    return words


ATTACKS = [
    header_names_a_file,
    header_names_a_relative_path,
    header_names_a_place_at_home,
    header_names_a_module_on_the_path,
    header_names_what_a_link_leads_to,
    header_of_a_file_alone,
    header_of_a_teacher,
    header_of_a_teacher_to_cache,
    config_names_data,
    config_names_data_beside_typed_weights,
    header_of_a_file_names_data,
    config_given_names_a_network,
    config_given_names_data,
    config_given_names_methods,
    config_given_names_a_class_for_an_option,
    config_holds_tags,
    inspected_run_names_methods,
    state_of_a_run_to_go_on_with,
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_that_came_with_a_run_is_not_run(gift: Gift, capsys: Capture, attack: Callable[[Gift], list[str]]) -> None:
    words = attack(gift)
    capsys.readouterr()
    assert main(words) == 2
    assert not gift.trap.exists()
    error = capsys.readouterr().err
    assert error.startswith("stillhouse: ")
    assert error.count("\n") == 1
    assert not any(str(gift.root) in place for place in sys.path) or "package" in " ".join(words) + error


def test_what_is_typed_is_run(gift: Gift) -> None:
    net = f"{gift.code('code/net.py')}:go"
    with pytest.raises(SystemExit):
        main(["train", "--config", gift.configured(model=net), "--model", net, *gift.images()])
    assert gift.trap.exists()
