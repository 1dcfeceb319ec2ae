"""Putting together what a command asks for: what a run depends on, and what it does not."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stillhouse.anatomy import Anatomy
from stillhouse.checkpoints import save_weights
from stillhouse.cli.build import Setting, epochs_for, trainer_alone, trainer_taught
from stillhouse.data import load
from stillhouse.methods import CE
from stillhouse.methods.parse import parse
from stillhouse.models.spec import NetworkSource
from stillhouse.training.config import TrainConfig
from stillhouse.training.teacher import Teacher
from tests.helpers.data import quick_data
from tests.helpers.pictures import write_pictures

CPU = torch.device("cpu")
DATA = quick_data()
RECIPE = TrainConfig(epochs=2, batch_size=8)


@pytest.fixture
def source(tmp_path: Path) -> NetworkSource:
    (tmp_path / "nets.py").write_text(
        "from tests.helpers.networks import QuickNet\n\n\ndef small(num_classes):\n    return QuickNet(num_classes)\n"
    )
    return NetworkSource(f"{tmp_path}/nets.py:small")


def teacher(seed: int = 0, name: str = "resnet8") -> Teacher:
    source = NetworkSource(name)
    return Teacher(source.tapped(source.build(DATA, seed).eval(), DATA), name)


def test_what_a_run_depends_on_names_its_folder(source: NetworkSource, tmp_path: Path) -> None:
    def name(source: NetworkSource = source, recipe: TrainConfig = RECIPE, **setting: object) -> str:
        complete = replace(Setting(folder=tmp_path), **setting)  # type: ignore[arg-type] # its options by name
        return trainer_alone(source, quick_data(seed=complete.seed), recipe, complete).run.folder.name

    first = name()
    assert first == name()
    assert first == name(device="cpu", workers=3, folder=Path("elsewhere"), memory_budget=3.0)
    weights = tmp_path / "weights.safetensors"
    save_weights(source.build(DATA, seed=5), weights, {})
    others = [
        name(seed=1),
        name(recipe=replace(RECIPE, lr=0.1)),
        name(recipe=replace(RECIPE, epochs=3)),
        name(validation=0.1),
        name(replace(source, anatomy=Anatomy(stages=("stage2",), head="head"))),
        name(replace(source, weights=str(weights))),
    ]
    save_weights(source.build(DATA, seed=6), weights, {})
    others.append(name(replace(source, weights=str(weights))))  # other weights under the same name
    file = Path(source.name.partition(":")[0])
    file.write_text(file.read_text() + "# changed\n")
    others.append(name())
    assert len({first, *others}) == 1 + len(others)


def test_what_a_distillation_depends_on_names_its_folder(source: NetworkSource, tmp_path: Path) -> None:
    def name(teacher: Teacher, methods: str) -> str:
        setting = Setting(folder=tmp_path)
        return trainer_taught(source, teacher, parse(methods), DATA, RECIPE, setting, {}).run.folder.name

    first = name(teacher(), "CE, KD")
    assert first.startswith("quick-nets.py_small-from-resnet8-CE+KD-seed0-")
    assert first == name(teacher(), "CE(), KD(temperature=4)")
    others = [name(teacher(), "CE, KD(temperature=2)"), name(teacher(), "CE"), name(teacher(seed=1), "CE, KD")]
    assert len({first, *others}) == 4


def test_the_precision_of_a_teacher_matters_to_its_students_only(source: NetworkSource, tmp_path: Path) -> None:
    exact, rough = Setting(folder=tmp_path), Setting(folder=tmp_path, teacher_precision="bfloat16")
    alone = {trainer_alone(source, DATA, RECIPE, setting).run.folder for setting in (exact, rough)}
    methods, said_by = parse("CE, KD"), teacher()
    taught = {
        trainer_taught(source, said_by, methods, DATA, RECIPE, setting, {}).run.folder for setting in (exact, rough)
    }
    assert (len(alone), len(taught)) == (1, 2)


def test_a_run_remembers_every_option(source: NetworkSource, tmp_path: Path) -> None:
    setting = Setting(data="digits", folder=tmp_path, seed=3)
    config = {"teacher": "runs/x", "student": source.name, "baseline": True}
    trainer = trainer_taught(source, teacher(), parse("CE, KD"), DATA, RECIPE, setting, config)
    kept = trainer.run.config
    assert set(kept) >= {"teacher", "student", "methods", "data", "seed", "folder", "epochs", "lr", "milestones"}
    assert kept["folder"] == str(tmp_path)
    assert [str(method) for method in parse(", ".join(kept["methods"]))] == kept["methods"]  # type: ignore[arg-type] # a list
    assert kept["milestones"] == list(RECIPE.milestones)


def test_a_lesson_alone_listens_to_nobody(source: NetworkSource, tmp_path: Path) -> None:
    trainer = trainer_alone(source, DATA, RECIPE, Setting(folder=tmp_path))
    assert not trainer.distillation.is_taught
    assert [type(method) for method in trainer.distillation.methods.values()] == [CE]
    assert trainer.about["classes"] == list("abcd")


def test_students_of_a_room_begin_with_the_same_weights(source: NetworkSource, tmp_path: Path) -> None:
    setting = Setting(folder=tmp_path)
    alone = trainer_alone(source, DATA, RECIPE, setting).model.state_dict()
    taught = trainer_taught(source, teacher(), parse("CE, KD, FitNet"), DATA, RECIPE, setting, {}).model.state_dict()
    assert all(torch.equal(alone[name], taught[name]) for name in alone)


def test_how_long_to_train_where_nobody_said_so(tmp_path: Path) -> None:
    assert epochs_for(DATA) == TrainConfig.epochs == 240
    assert epochs_for(replace(DATA, name="digits")) < 60
    large = load(write_pictures(tmp_path / "large", train=4, size=80), workers=0)
    assert epochs_for(large) == 90


def test_a_gpu_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Setting().torch_device() == Setting(device="cpu").torch_device() == CPU
    with pytest.raises(ValueError, match="--device cuda: PyTorch finds no GPU here; use --device cpu or auto"):
        Setting(device="cuda").torch_device()


@pytest.mark.parametrize("budget", [0.0, -1.0, math.inf, math.nan])
def test_a_memory_budget_is_a_number_of_gigabytes(budget: float) -> None:
    with pytest.raises(ValueError, match="--memory_budget must be above 0, in GB, not"):
        Setting(memory_budget=budget)
