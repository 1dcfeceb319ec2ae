"""Putting together what a command asks for: what a run depends on, and what it does not."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from stillhouse.anatomy import Anatomy
from stillhouse.checkpoints import save_weights
from stillhouse.cli.arguments import named_values
from stillhouse.cli.groups.run import RunOptions
from stillhouse.cli.runs.build import trainer_alone, trainer_taught
from stillhouse.methods import CE
from stillhouse.methods.parse import parse
from stillhouse.models.spec import NetworkSource
from stillhouse.training.config import TrainConfig
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.data import quick_data

DATA = quick_data()
CONFIG = TrainConfig(epochs=2, batch_size=8)


def options(folder: Path, config: TrainConfig = CONFIG, **changed: object) -> RunOptions:
    """Options of a run; those that are named differ from their defaults."""
    complete = RunOptions(config=config)
    for name, value in {"folder": folder, **changed}.items():
        for part in fields(complete):
            group = getattr(complete, part.name)
            if part.name != "config" and name in {field.name for field in fields(group)}:
                complete = replace(complete, **{part.name: replace(group, **{name: value})})
    return complete


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
    def name(source: NetworkSource = source, config: TrainConfig = CONFIG, **changed: object) -> str:
        complete = options(config=config, **{"folder": tmp_path, **changed})  # type: ignore[arg-type] # by name
        return trainer_alone(source, quick_data(seed=complete.output.seed), complete).run.folder.name

    first = name()
    assert first == name()
    assert first == name(device="cpu", workers=3, folder=tmp_path / "elsewhere", train_fraction=1.0)
    weights = tmp_path / "weights.safetensors"
    save_weights(source.build(DATA, seed=5), weights, {})
    others = [
        name(seed=1),
        name(config=replace(CONFIG, lr=0.1)),
        name(config=replace(CONFIG, epochs=3)),
        name(validation=0.1),
        name(train_fraction=0.2),
        name(crop="reflected"),
        name(rotation=20.0),
        name(resize="squash_crop"),
        name(compile=True),
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
        return trainer_taught(source, teacher, parse(methods), DATA, options(tmp_path), {}).run.folder.name

    first = name(teacher(), "CE, KD")
    assert first.startswith("quick-nets.py_small-from-resnet8-CE+KD-seed0-")
    assert first == name(teacher(), "CE(), KD(temperature=4)")
    others = [name(teacher(), "CE, KD(temperature=2)"), name(teacher(), "CE"), name(teacher(seed=1), "CE, KD")]
    rough = teacher()
    rough.net.precision = torch.bfloat16
    assert len({first, *others, name(rough, "CE, KD")}) == 5


def test_hashes_of_runs_are_those_of_version_0_1_0(tmp_path: Path) -> None:
    resnet8, data, asked = NetworkSource("resnet8"), replace(DATA, fingerprint="fixed"), options(tmp_path)
    short = "epochs2-batch_size8"
    assert trainer_alone(resnet8, data, asked).run.folder.name == f"quick-resnet8-seed0-{short}-577ea207"
    other = options(tmp_path, compile=True, seed=3, validation=0.1)
    assert trainer_alone(resnet8, data, other).run.folder.name == f"quick-resnet8-seed3-{short}-validation0.1-bb690d16"
    constant = teacher()
    for value in constant.net.model.state_dict().values():
        value.fill_(1)
    for precision, digest in ((None, "40cf4e5e"), (torch.bfloat16, "17985871")):
        constant.net.precision = precision
        taught = trainer_taught(resnet8, constant, parse("CE, KD(temperature=2)"), data, asked, {})
        assert taught.run.folder.name == f"quick-resnet8-from-resnet8-CE+KD_temperature2-seed0-{short}-{digest}"


def test_a_run_remembers_every_option(source: NetworkSource, tmp_path: Path) -> None:
    asked = options(tmp_path, data="digits", seed=3)
    config = {"teacher": "runs/x", "student": source.name, "baseline": True, **named_values(asked)}
    kept = trainer_taught(source, teacher(), parse("CE, KD"), DATA, asked, config).run.config
    assert set(kept) == {*config, "methods"} - {"workers"}
    assert kept["folder"] == str(tmp_path)
    assert [str(method) for method in parse(", ".join(kept["methods"]))] == kept["methods"]  # type: ignore[arg-type] # a list
    assert kept["milestones"] == list(CONFIG.milestones)
    assert kept["epochs"] == 2


def test_a_network_by_itself_has_no_teacher(source: NetworkSource, tmp_path: Path) -> None:
    trainer = trainer_alone(source, DATA, options(tmp_path))
    assert not trainer.distillation.has_teacher
    assert [type(method) for method in trainer.distillation.methods.values()] == [CE]
    assert trainer.about["classes"] == list("abcd")


def test_students_of_a_classroom_begin_with_the_same_weights(source: NetworkSource, tmp_path: Path) -> None:
    asked = options(tmp_path)
    alone = trainer_alone(source, DATA, asked).model.state_dict()
    taught = trainer_taught(source, teacher(), parse("CE, KD, FitNet"), DATA, asked, {}).model.state_dict()
    assert all(torch.equal(alone[name], taught[name]) for name in alone)
