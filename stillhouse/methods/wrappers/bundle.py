"""A method made of several others."""

from collections.abc import Iterator, Sequence

from torch import nn

from ...batch import DataInfo
from ...distillation import term_names
from ...method import Method, SpotMethod
from ...rng import seeded
from ...taps import Outputs
from .delegating import Delegating


class Bundle(Delegating):
    """A method made of several others, its terms, which answer everything but the loss.

    Args:
        terms: The methods inside.
    """

    def __init__(self, terms: Sequence[SpotMethod], weight: float):
        super().__init__(weight, terms)
        self.terms = nn.ModuleDict(dict(zip(term_names(terms), terms, strict=True)))

    def named_terms(self) -> Iterator[tuple[str, SpotMethod]]:
        for name, term in self.terms.items():
            assert isinstance(term, SpotMethod)
            yield name, term

    def inside(self) -> Sequence[tuple[str, Method]]:
        return [(f"{name}.", term) for name, term in self.named_terms()]

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for name, term in self.named_terms():
            with seeded(data.seed, f"init {name}"):  # as it begins without this wrapper
                term.build(student, teacher, data)
