"""A method made of several others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from torch import Tensor, nn

from ...batch import Batch, DataInfo
from ...distillation import term_names
from ...method import Method, Spot, SpotMethod
from ...rng import seeded
from ...taps import Outputs
from .delegating import Delegating


class Bundle(Delegating):
    """A method made of several others, its terms, to which it leaves everything but the loss.

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

    def distil(
        self, student: Outputs, teacher: Outputs, active: Mapping[Spot, Tensor | bool], batch: Batch
    ) -> dict[str, Tensor]:
        """Return the weighted mean loss of each term, ().

        Args:
            active: The samples that count at each spot, (N,) zeros and ones; True for all samples, False for none.
        """
        losses = {}
        for name, term in self.named_terms():
            loss = student.logits.new_zeros(())
            for spot in term.spots:
                mask = active[spot]
                if isinstance(mask, Tensor):
                    loss = loss + mask * term.loss_at(spot, student, teacher, replace(batch, active=mask))
                elif mask:
                    loss = loss + term.loss_at(spot, student, teacher, batch)
            losses[name] = term.weight * loss.mean()
        return losses

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for name, term in self.named_terms():
            with seeded(data.seed, f"init {name}"):  # the same start as without this wrapper
                term.build(student, teacher, data)
