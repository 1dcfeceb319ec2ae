"""After the last step: a table of the teacher and its students, and what distillation gained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ... import distributed
from ...analysis.tables import Fitting, Line, comparison
from ...checkpoints import load_weights
from ...data import DATASETS, Data
from ...report import markdown
from ...report.intervals import Paired, over_images
from ...report.model_card import compare
from ...report.recipes import Recipe
from ...training.evaluation import Scores, evaluate, size_of
from ...training.run_files import loss_terms
from ...training.student import StudentTrainer
from ...training.teachers.teacher import Teacher
from ..groups.run import RunOptions
from ..options.distill import Distill
from ..train import outcome, title
from .next_steps import other_weights


@dataclass(frozen=True)
class Results:
    """Finished students and their teacher on the test images.

    Args:
        teacher: The teacher's outputs; None if its logits have no meaning for the data.
        students: Each student's outputs, the distilled one's last.
    """

    teacher: Scores | None
    students: dict[StudentTrainer, Scores]

    @property
    def taught(self) -> StudentTrainer:
        return list(self.students)[-1]

    @property
    def alone(self) -> StudentTrainer | None:
        """The baseline, if there is one."""
        first = next(iter(self.students))
        return None if first is self.taught else first


def measure(
    teacher: Teacher,
    trainers: Sequence[StudentTrainer],
    data: Data,
    options: RunOptions,
    examined: Scores | None = None,
) -> Results:
    """Measure the teacher and finished students on the test images.

    Args:
        examined: The teacher's outputs for the held-out images, which are the test images without a validation set.
    """
    device = options.device.torch_device()
    outputs = None if data.validation else examined
    if outputs is None and not teacher.net.foreign_logits:
        outputs = teacher.scores(data.test, device)
    found: dict[StudentTrainer, Scores] = {}
    for trainer in trainers:
        load_weights(trainer.model, trainer.run.weights)
        found[trainer] = evaluate(trainer.model.to(device), data.test, device)
    return Results(outputs, found)


def table(results: Results, teacher: Teacher, data: Data, options: RunOptions) -> Fitting:
    """Return a table of the teacher and its students."""
    size, outputs = data.info.image_size, results.teacher
    name = f"{teacher.short} (teacher)"
    lines = [Line(name, *size_of(teacher.net.model, size), None if outputs is None else outputs.top1)]
    for trainer, scores in results.students.items():
        _, best = outcome(trainer)
        agreement = None if outputs is None else scores.agreement(outputs)
        lines.append(Line(trainer.name, *size_of(trainer.model, size), scores.top1, best, agreement))
    return comparison(lines, title(data, options))


def gain(results: Results, seed: int) -> str:
    """Return in words what distillation gained over the baseline, and how sure that is."""
    if results.alone is None:
        return "gain: not known without a baseline; leave out --baseline false to train one"
    found = _difference(results, results.alone)
    doubt = "" if found.is_clear else "; that includes zero, so more seeds are needed to tell: --seeds 5"
    return (
        f"gain: {found.points:+.2f} points over {results.alone.name}, 95 % interval {found.low:+.2f} to "
        f"{found.high:+.2f} (paired over the {found.images:,} test images of seed {seed}){doubt}"
    )


def warning(results: Results, command: Distill) -> tuple[str, str] | None:
    """Return what to say if the distilled student is worse than its baseline; None if it is not.

    Returns:
        A note with what to try, and the command that tries other weights of the term that is largest beside CE.
    """
    if results.alone is None or (found := _difference(results, results.alone)).points >= 0:
        return None
    taught, tries = results.taught, list[str]()
    if results.teacher is not None and results.teacher.top1 <= results.students[results.alone].top1:
        tries.append("a better teacher (this one is no better than the student by itself)")
    tries += ["more --epochs", "other --methods"]
    row = next(reversed(taught.run.rows()), {})
    terms = {name: abs(row[name]) for name in loss_terms(row) if name != "CE"}
    clear = "" if found.is_clear else ", though by less than the test images can tell"
    text = f"distillation made the student worse{clear}; try {', '.join(tries)}"
    if not terms:
        return text, ""
    largest = max(terms, key=terms.__getitem__)
    return f"{text}, or other weights of {largest}, its largest term:", other_weights(command, largest)


def into_card(results: Results, teacher: Teacher, seed: int) -> None:
    """Put the comparison with the teacher and the baseline into the student's model card."""
    rows = [] if results.teacher is None else [(f"{teacher.short} (teacher)", f"{results.teacher.top1:.2f}")]
    rows += [(trainer.name, f"{scores.top1:.2f}") for trainer, scores in results.students.items()]
    if len(rows) > 1 and distributed.is_first():
        comparison = markdown.table(("network", "top-1 %"), rows)
        compare(results.taught.run.folder, f"{comparison}\n\n{markdown.escaped(gain(results, seed))}")


def _difference(results: Results, alone: StudentTrainer) -> Paired:
    taught, other = (results.students[one] for one in (results.taught, alone))
    return over_images(taught.correct, other.correct)


def published(recipe: Recipe, here: Mapping[str, object]) -> str:
    """Return the result that its authors report, and the settings that differ here."""
    other = [name for name in recipe.differs(here) if name != "data" or recipe.options["data"] in DATASETS]
    different = f"; here with different {', '.join(other)}" if other else ""
    return f"published for {recipe.name}: {recipe.report()}{different}"
