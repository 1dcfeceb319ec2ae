"""What wrappers of several methods have in common."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn

from ...anatomy import Anatomy
from ...batch import Batch, DataInfo
from ...distillation import term_names
from ...method import Group, Method, Spot, SpotMethod, Warmup
from ...rng import seeded
from ...taps import Outputs, Tapped


class Bundle(Method):
    """A method made of others, for which it answers in everything but the loss.

    Args:
        terms: The methods inside.
    """

    def __init__(self, terms: Sequence[SpotMethod], weight: float):
        super().__init__(weight)
        self.terms = nn.ModuleDict(dict(zip(term_names(terms), terms, strict=True)))
        if any(term.teacher_statistics == "batch" for term in terms):
            self.teacher_statistics = "batch"

    def named_terms(self) -> Iterator[tuple[str, SpotMethod]]:
        for name, term in self.terms.items():
            assert isinstance(term, SpotMethod)
            yield name, term

    @property
    def needs_strong_view(self) -> bool:
        return any(term.needs_strong_view for _, term in self.named_terms())

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> Sequence[Spot]:
        for _, term in self.named_terms():
            term.spots = term.choose_spots(student, teacher)
        return list(dict.fromkeys(spot for _, term in self.named_terms() for spot in term.spots))

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for name, term in self.named_terms():
            with seeded(data.seed, f"init {name}"):  # as it begins without this wrapper
                term.build(student, teacher, data)

    def warmups(self, student: Tapped, teacher: Tapped) -> Sequence[Warmup]:
        return [warmup for _, term in self.named_terms() for warmup in term.warmups(student, teacher)]

    def groups(self) -> Sequence[Group]:
        return [group for _, term in self.named_terms() for group in term.groups()]

    def after_step(self, batch: Batch) -> None:
        for _, term in self.named_terms():
            term.after_step(batch)

    def observations(self) -> Mapping[str, Tensor]:
        inside = [(name, term.observations()) for name, term in self.named_terms()]
        return {f"{name}.{what}": value for name, observed in inside for what, value in observed.items()}

    def per_image(self, student: Outputs, teacher: Outputs, batch: Batch) -> Mapping[str, Tensor]:
        inside = [(name, term.per_image(student, teacher, batch)) for name, term in self.named_terms()]
        return {f"{name}.{what}": value for name, made in inside for what, value in made.items()}

    def deploy(self, student: nn.Module) -> nn.Module:
        for _, term in self.named_terms():
            student = term.deploy(student)
        return student
