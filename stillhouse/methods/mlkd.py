"""Multi-level logit distillation: match predictions, and the similarities of samples and of classes in them."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..batch import Batch
from ..method import Method
from ..ranges import Filled, Temperature
from ..taps import Outputs
from .layers.logits import divergence, z_score
from .layers.strong_view import strong_outputs


class MLKD(Method):
    """Multi-Level Logit Distillation (Jin et al., CVPR 2023).

    For each of two views of the images, one augmented as usual and one strongly, the sum over temperatures T of
    T^2 KL(t || s), averaged over samples, |t t' - s s'|^2 / N between samples and |t' t - s' s|^2 / C between classes,
    with the (N, C) softened probabilities t and s. Used with `CE(0.1), StrongView(CE(0.1))`.

    The authors' code is meant to count only samples of which the teacher is less sure than of the median, and classes
    that it finds rarer than the median. By mistake it multiplies the losses by the fraction of these instead, uses the
    weak view for the last two temperatures of the strong one, and leaves out the similarities in the strong one.

    Args:
        temperatures: The code has them in this order.
        form: "paper", with the "masks" that the code intends, or what the "code" computes.
        standardized: KL of standardised logits, as in Logit Standardization (CVPR 2024), which uses weight 9 and 2 as
            the first temperature.
    """

    def __init__(
        self,
        weight: float = 0.9,
        temperatures: Annotated[Sequence[Temperature], Filled()] = (4.0, 3.0, 5.0, 2.0, 6.0),
        form: Literal["paper", "masks", "code"] = "paper",
        standardized: bool = False,
    ):
        super().__init__(weight)
        self.temperatures, self.form, self.standardized = temperatures, form, standardized

    @property
    def needs_strong_view(self) -> bool:
        return True

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        weak, strong = ((s.logits, t.logits) for s, t in ((student, teacher), strong_outputs(student, teacher)))
        samples, classes = self.masks(teacher.logits)
        if self.form == "paper":
            samples, classes = torch.ones_like(samples), torch.ones_like(classes)
        elif self.form == "code":
            samples, classes = samples.mean(), classes.mean()
        losses = []
        for i, temperature in enumerate(self.temperatures):
            losses.append(self.levels(*weak, temperature, samples, classes))
            if self.form == "code":
                losses.append(self.kl(*(strong if i < len(self.temperatures) - 2 else weak), temperature).mean())
            else:
                losses.append(self.levels(*strong, temperature, samples, classes))
        return torch.stack(losses).sum()

    def masks(self, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C) -> (N,), (C,) ones for samples and classes that count, else zeros"""
        probabilities = F.softmax(teacher, dim=1)
        samples, classes = probabilities.amax(1), probabilities.sum(0)
        return (samples <= _middle(samples)).to(teacher), (classes <= _middle(classes)).to(teacher)

    def levels(self, student: Tensor, teacher: Tensor, temperature: float, samples: Tensor, classes: Tensor) -> Tensor:
        """(N, C), (N, C), masks or factors (N,) and (C,) or () -> (), instance, batch and class level"""
        s, t = (F.softmax(logits / temperature, dim=1) for logits in (student, teacher))
        between_samples = (t @ t.T - s @ s.T).square().sum(1)
        between_classes = (t.T @ t - s.T @ s).square().sum(1)
        by_sample = samples * (self.kl(student, teacher, temperature) + between_samples)
        return by_sample.mean() + (classes * between_classes).mean()

    def kl(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """(N, C), (N, C) -> (N,)"""
        if self.standardized:
            student, teacher = z_score(student, unbiased=True), z_score(teacher, unbiased=True)
        return divergence(student / temperature, teacher / temperature, temperature**2)


def _middle(values: Tensor) -> Tensor:
    """(N,) -> (), the median as `Tensor.quantile` interpolates it, which waits for the device in PyTorch 2.11"""
    ordered = values.sort().values
    return torch.lerp(ordered[(len(values) - 1) // 2], ordered[len(values) // 2], 0.5)
