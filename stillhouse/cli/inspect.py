"""`stillhouse inspect`: measure, draw and list what a finished distillation learned."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import torch

from ..analysis.baseline import Baseline, read_baseline
from ..analysis.findings_tables import Table, by_classes, summarised
from ..analysis.measure import look
from ..checkpoints import about_weights, load_weights
from ..data import Data
from ..models.adapt import renormalise
from ..models.input_spec import InputSpec
from ..spelling import printable
from ..training.doctor.findings import HEADINGS as TERMS, rows as term_rows
from ..training.doctor.gradients import readable
from ..training.progress import Display
from ..training.run_files import read_result, read_rows
from ..training.student import StudentTrainer
from ..training.teachers.teacher import Teacher
from ..training.teachers.weights_file import weights_in
from ..user_code import Untrusted, named_by_run
from .arguments import parse
from .options.distill import Distill
from .options.inspect import Inspect, InspectOptions
from .runs.beside import baseline_of, teacher_of
from .runs.build import trainer_taught
from .summary.filled import filled


def inspect(command: Inspect, display: Display) -> None:
    asked, device = command.inspection, command.device.torch_device()
    try:
        with named_by_run(asked.folder, (asked.teacher, asked.data)):
            distilled, teacher, trainer, data = _restored(asked, command.device.device, device, display)
    except Untrusted as error:
        raise ValueError(f"{error}; if it is yours, type the command in the folder that holds both") from None
    rows = read_rows(asked.folder)
    if len(rows) < trainer.epochs:
        raise ValueError(f"{asked.folder / 'metrics.jsonl'} has {len(rows)} of {trainer.epochs} epochs; restore it")
    baseline = _baseline(asked, distilled, data, display)
    findings = look(trainer.distillation, trainer.model, teacher.net, data, device, asked.images)

    names = [printable(name) for name in data.classes]
    summary, by_class = summarised(findings, baseline), by_classes(findings, names, baseline)
    norms = readable(read_result(asked.folder).get("gradient_norms"))
    tables = {"summary": summary, "classes": by_class}
    if terms := term_rows(norms, trainer.distillation):
        tables["terms"] = Table(TERMS, terms)
    named = f"{distilled.distillation.student_source().short} from {teacher.short} on {data.name}"
    from ..analysis.figures import figures, save  # they import matplotlib, which nothing else needs
    from ..analysis.fonts import Lettering
    from ..training.doctor.picture import pictures

    letters = Lettering.of([*names, named])
    methods = dict(trainer.distillation.named_methods())
    with filled(asked.folder / "inspection") as target:
        for name, table in tables.items():
            (target / f"{name}.csv").write_text(table.csv(), encoding="utf-8")
        shown = figures(
            *(findings, rows, methods, letters.names(names), letters.text(named), baseline),
            validated=distilled.run.split.validation > 0,
        )
        shown = chain(shown, pictures(norms, f"{letters.text(named)}."))
        drawn = save(shown, target, letters.families, command.pictures.formats)
    display.say(f"{named}, {len(findings.student.labels):,} test images")
    display.console.print(summary.printed(len(summary.headings)))
    display.console.print(by_class.printed(5 if baseline is None or baseline.predictions is None else 7))
    if terms:
        display.console.print(tables["terms"].printed(len(TERMS)))
    if letters.missing:
        display.note(
            f"no font here has {len(letters.missing)} of the characters of class names; figures show ? for them "
            f"and the number of the class, classes.csv has the names"
        )
    display.say(
        f"in {asked.folder / 'inspection'}: {', '.join(f'{name}.csv' for name in tables)}, and as "
        f"{command.pictures.in_words()} {', '.join(drawn)}"
    )


def _restored(
    asked: InspectOptions, device_name: str, device: torch.device, display: Display
) -> tuple[Distill, Teacher, StudentTrainer, Data]:
    """Rebuild a finished distillation, with both networks' inputs as in training."""
    instead = asked.instead() | {"device": device_name}
    distilled = parse("distill", Distill, ["--config", str(asked.config())], instead=instead)
    specs, about = distilled.distillation.method_specs(), about_weights(weights_in(asked.folder))
    expected = InputSpec.of_header(about)
    is_strong = any(method.build().needs_strong_view for method in specs)
    data = distilled.run.load(display, is_strong, expected, is_trained=False)
    teacher = teacher_of(distilled, data, device, display)
    if teacher.net.foreign_logits:
        raise ValueError(
            f"the teacher {teacher.name} {teacher.net.foreign_logits}: its outputs cannot be compared with a "
            f"student's; stillhouse evaluate measures the student"
        )
    teacher.net.precision = distilled.precision.dtype
    source = distilled.distillation.student_source()
    trainer = trainer_taught(source, teacher, specs, data, distilled.run, {})
    if asked.folder.resolve().name.rpartition("-")[2] != trainer.run.folder.name.rpartition("-")[2]:
        display.note(f"{asked.run} was made with a different teacher, data set or configuration than the present one")
    for note in restore(trainer, asked.folder):
        display.note(note)
    if about.get("classes") not in (None, list(data.classes)):
        raise ValueError(f"{asked.run} was trained on classes other than those of {data.name}, or in another order")
    if expected.mean and expected.std:
        renormalise(trainer.distillation.student.model, (data.mean, data.std), (expected.mean, expected.std))
    return distilled, teacher, trainer, data


def _baseline(asked: InspectOptions, distilled: Distill, data: Data, display: Display) -> Baseline | None:
    """Read the run of the student by itself; None, with a note, if there is none."""
    if asked.baseline is not None:
        folder = Path(asked.baseline).expanduser()
    else:
        beside = baseline_of(distilled, data)
        if beside is None:
            display.note(
                "no run of the student by itself lies beside it, so no picture shows a baseline; give --baseline"
            )
            return None
        folder = beside
    found = read_baseline(folder, data.test.labels)
    if found.predictions is None:
        display.note(f"the baseline {folder} did not keep its guesses, so only the curves show it")
    return found


def restore(trainer: StudentTrainer, folder: Path) -> list[str]:
    """Load the saved state of a finished run into a student's trainer, and return notes about missing state."""
    load_weights(trainer.model, weights_in(folder))
    methods, kept = trainer.distillation.methods, folder / "methods.safetensors"
    if kept.is_file():
        load_weights(methods, kept)
    elif methods.state_dict():
        return [f"{folder} has no {kept.name}, so its methods are shown as they were before training"]
    return []
