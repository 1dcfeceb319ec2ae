"""What every method must keep to, law by law."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..method import Method
from . import capturing, learning, losses, running
from .specimens import PAIRS
from .trial import Broken, Subject

_CITATION = re.compile(r"([^().]+) \(([^()]+?), ((?:[^,()]+ )?((?:19|20)\d\d))(?:, ([^()]+))?\)")


class Law(NamedTuple):
    """What must hold. To try it returns a remark worth reading, or nothing, and raises `Broken` where it is broken."""

    says: str
    try_on: Callable[[Subject], str]


class Citation(NamedTuple):
    """What a docstring begins with: Title (Authors, VENUE 2017, arXiv:1612.03928)."""

    title: str
    authors: str
    venue: str  # with the year
    year: str
    identifier: str | None

    @classmethod
    def of(cls, method: type[Method]) -> "Citation | None":
        found = _CITATION.match(" ".join((inspect.getdoc(method) or "").split()))
        return cls(*found.groups()) if found else None


def _cites(subject: Subject) -> str:
    form = "the docstring does not begin with: Title (Authors, VENUE year, arXiv:number)"
    return "" if Citation.of(subject.spec.cls) else form


def _has_defaults(subject: Subject) -> str:
    cls = subject.spec.cls
    for name, parameter in inspect.signature(cls).parameters.items():
        takes_methods = "Method" in str(parameter.annotation)
        if parameter.default is parameter.empty and not takes_methods and parameter.kind is not parameter.VAR_KEYWORD:
            raise Broken(f"{name} has none; give it the paper's value, so that {cls.__name__}() is the paper's method")
    return ""


LAWS = (
    *(Law(f"{pair.name} can be taught, or it says why not", partial(running.runs_between, pair)) for pair in PAIRS),
    Law("two images are enough for a batch", running.runs_on_two_images),
    Law("networks in bfloat16 leave it finite", running.runs_in_bfloat16),
    Law("on a GPU it works, and does not wait", running.runs_on_a_gpu),
    Law("its steps can be captured in a CUDA graph", capturing.can_be_captured),
    Law("it returns a loss for each image, or one for all", losses.is_by_sample_or_one),
    Law("it leaves alone what the networks said", losses.leaves_what_it_reads),
    Law("a student that says nothing but zeros leaves it finite", losses.survives_zeros),
    Law("a student equal to its teacher costs nothing", losses.is_zero_between_equals),
    Law("it rises along its gradient, as the gradient says", losses.follows_its_gradient),
    Law("the order of a batch does not matter", losses.ignores_order),
    Law("the memory format of features does not matter", losses.ignores_memory_format),
    Law("its random numbers are the batch's", losses.draws_from_the_batch),
    Law("it knows whether it needs a teacher", losses.knows_whether_it_needs_a_teacher),
    Law("samples that are off might as well not be there", losses.can_leave_samples_out),
    Law("gradients reach the student, and never the teacher", learning.teaches_the_student_only),
    Law("its parameters are its own, and trained", learning.owns_its_parameters),
    Law("made twice, it begins the same", learning.begins_the_same),
    Law("its state_dict is all of its state", learning.keeps_its_state),
    Law("a deep copy does the same, and is apart from it", learning.can_be_copied),
    Law("interrupted and resumed, it ends the same, and the teacher is as before", learning.can_be_interrupted),
    Law("a step that is taken back leaves no mark", learning.takes_a_step_back),
    Law("what it ships is a classifier", learning.ships_a_classifier),
    Law("what it observes are numbers", learning.observes_numbers),
    Law("all parameters of its constructor have defaults", _has_defaults),
    Law("its docstring names the paper", _cites),
)
