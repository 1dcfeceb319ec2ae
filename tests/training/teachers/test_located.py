"""A trained network is known by the place it is kept in, and nothing in that place decides which code is run."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stillhouse.checkpoints import about_weights
from stillhouse.data import load
from stillhouse.models.input_spec import InputSpec
from stillhouse.models.spec import NetworkSource
from stillhouse.training.teachers.located import locate
from stillhouse.training.teachers.teacher import prepare
from tests.helpers.commands import World

CPU = torch.device("cpu")


def rewritten(run: Path, **about: object) -> Path:
    """The folder of a run, with a header that says something else, and a result that says nothing of it."""
    file, result = run / "model.safetensors", run / "result.json"
    weights = load_file(file)
    save_file(weights, file, {"stillhouse": json.dumps(about_weights(file) | about)})
    kept = {name: value for name, value in json.loads(result.read_text()).items() if not isinstance(value, dict)}
    result.write_text(json.dumps(kept))
    return run


def copied(world: World, folder: Path, **about: object) -> Path:
    return rewritten(Path(shutil.copytree(world.teacher, folder)), **about)


def test_a_run_says_what_it_holds(world: World) -> None:
    found = locate(NetworkSource(str(world.teacher)))
    assert found.source.name == f"{world.nets}:wide"
    assert found.source.weights == str(world.teacher / "model.safetensors")
    assert found.folder == world.teacher
    assert found.classes == ("ant", "bee", "cat")
    assert found.input.size == 16
    assert found.input.source == "its file"


def test_a_name_is_a_network_without_weights_or_with_those_given(world: World) -> None:
    bare = locate(NetworkSource("resnet8"))
    assert (bare.source.weights, bare.folder, bare.classes, bare.input) == (None, None, None, InputSpec())
    file = str(world.teacher / "best.safetensors")
    given = locate(NetworkSource(f"{world.nets}:wide", file))
    assert given.folder is None
    assert given.input.size == 16
    assert locate(NetworkSource(f"{world.nets}:wide", str(world.teacher))).input.size == 16


def test_what_is_typed_wins_over_the_file(world: World) -> None:
    typed = InputSpec.typed([0.5], [0.5], 20, "")
    found = locate(NetworkSource(str(world.teacher), input=typed, classes=("cat", "bee", "ant")))
    assert found.input == typed
    assert found.classes == ("cat", "bee", "ant")


def test_code_that_came_with_a_run_is_not_run(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the run, beside it, in a folder that holds both; by a path or by a module; or installed."""
    data, trap = load(world.pictures, batch_size=16), tmp_path / "trap"
    code = f"import pathlib\npathlib.Path({str(trap)!r}).touch()\ndef net(num_classes): raise SystemExit\n"
    gift = tmp_path / "here" / "gift"
    gift.parent.mkdir()
    monkeypatch.chdir(gift.parent)
    monkeypatch.syspath_prepend(tmp_path / "here")
    run = copied(world, gift / "runs" / "run")
    places = {run / "net.py": "net.py", run.parent / "beside.py": "beside.py", gift / "above.py": "above.py"}
    for place in places:
        place.write_text(code)
    names = [*(f"{place}:net" for place in places), "gift.above:net", "gift/runs/run/net.py:net"]
    for name in [*names, "os:abort", "antigravity:fly", "subprocess:run", "timm.models:create_model"]:
        found = locate(NetworkSource(str(rewritten(run, network=name))))
        with pytest.raises(ValueError, match=r"the files of .*run name .*; it is not run; if you trust it, give "):
            prepare(found, data, CPU, option="--weights")
        assert not trap.exists()
    monkeypatch.chdir(run)
    found = locate(NetworkSource(str(rewritten(run, network="net.py:net"))))
    with pytest.raises(ValueError, match="it is not run"):
        prepare(found, data, CPU)
    with pytest.raises(SystemExit):
        prepare(found, data, CPU, typed=["net.py:net"])
    assert trap.exists()


def test_code_that_imports_what_came_with_a_run_is_not_run(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = copied(world, tmp_path / "gift" / "run", network="mine.py:net")
    (tmp_path / "mine.py").write_text("def net(num_classes):\n    import gift.evil\n")
    (tmp_path / "gift" / "evil.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"evil.py came with them; it is not run"):
        prepare(locate(NetworkSource(str(run))), load(world.pictures, batch_size=16), CPU)


def test_a_run_that_was_moved_away_from_its_code_says_which_file_it_needs(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = copied(world, tmp_path / "runs" / "run", network="net.py:wide")
    found = locate(NetworkSource(str(run)), "--weights")
    with pytest.raises(
        ValueError, match=r"run was trained with net.py:wide: there is no file net.py; give the network by"
    ):
        prepare(found, load(world.pictures, batch_size=16), CPU, option="--weights")


@pytest.mark.parametrize("name", ["timm:hf-hub:evil/net", "timm:local-dir:/tmp/net"])
def test_a_file_alone_does_not_decide_what_is_looked_up_elsewhere(world: World, tmp_path: Path, name: str) -> None:
    run = copied(world, tmp_path / "run", network=name)
    with pytest.raises(ValueError, match=f"looks up {name} outside of it; if you trust it, give {name} as the network"):
        locate(NetworkSource(str(run / "model.safetensors")))
