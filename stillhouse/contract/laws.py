"""The list of laws that every method must keep."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..method import Method
from . import capturing, learning, losses, masks, running
from .specimens import PAIRS
from .trial import Broken, Subject

_CITATION = re.compile(r"([^().]+) \(([^()]+?), ((?:[^,()]+ )?((?:19|20)\d\d))(?:, ([^()]+))?\)")


class Law(NamedTuple):
    """A sentence that must be true of a method.

    `try_on` returns a note for the reader, or "". It raises `Broken` if the law is broken and `NotApplicable` if there
    was nothing to test.
    """

    says: str
    try_on: Callable[[Subject], str]


class Citation(NamedTuple):
    """The beginning of a docstring: Title (Authors, VENUE 2017, arXiv:1612.03928)."""

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
    *(
        Law(f"{pair.name} can be distilled, or is refused with a reason", partial(running.runs_between, pair))
        for pair in PAIRS
    ),
    Law("a batch of two images works", running.runs_on_two_images),
    Law("the loss is finite in bfloat16", running.runs_in_bfloat16),
    Law("the loss is computed on a GPU without waiting for it", running.runs_on_a_gpu),
    Law("its steps can be captured in a CUDA graph", capturing.can_be_captured),
    Law("the loss is (N,) or ()", losses.has_the_right_shape),
    Law("outputs of the networks are not modified", losses.does_not_modify_outputs),
    Law("the loss is finite for a student whose outputs are all zero", losses.is_finite_for_zeros),
    Law("loss must be 0 for identical networks", losses.is_zero_for_identical_networks),
    Law("the gradient agrees with finite differences", losses.agrees_with_its_gradient),
    Law("the order of the batch does not matter", losses.ignores_order),
    Law("the memory format of feature maps does not matter", losses.ignores_memory_format),
    Law("random numbers come from the batch's generator", losses.draws_from_the_batch),
    Law("needs_teacher says whether the loss depends on the teacher", losses.knows_whether_it_needs_a_teacher),
    Law("masked samples do not affect the loss", masks.do_not_affect_the_loss),
    Law("masked samples are not remembered", masks.are_not_remembered),
    Law("gradients reach the student and never the teacher", learning.gradients_reach_only_the_student),
    Law("its parameters are its own and are trained", learning.owns_its_parameters),
    Law("its initial weights follow from the seed", learning.starts_the_same),
    Law("state_dict holds all of its state", learning.keeps_its_state),
    Law("a deep copy behaves the same and shares nothing", learning.can_be_copied),
    Law("an interrupted run ends the same, and the teacher does not change", learning.can_be_interrupted),
    Law("a trial step that is undone leaves no trace", learning.can_undo_a_step),
    Law("measuring its share of the gradient leaves no trace", learning.is_measured_without_a_trace),
    Law("deploy returns a classifier", learning.deploys_a_classifier),
    Law("observations are finite numbers", learning.observes_numbers),
    Law("all constructor arguments have defaults", _has_defaults),
    Law("the docstring cites the paper", _cites),
)
