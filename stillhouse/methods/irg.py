"""Instance relationship graphs: match the distances of all samples, and how they change between layers."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from ..anatomy import Anatomy
from ..batch import Batch
from ..method import Method, Places, Spot, pair
from ..taps import Outputs
from .layers.affinity import gram, squared_distances

Place = str | tuple[str, str]  # one name for both networks, or (student, teacher) names


class IRG(Method):
    """Knowledge Distillation via Instance Relationship Graph (Liu et al., CVPR 2019).

    A graph's vertices are samples, its edges E their squared distances divided by the largest. The loss is

        mse(E_s, E_t) + mse(s, t)        the latter if the two networks' features s and t have the same shape

    and, for each transformation from a layer a to a layer b,

        (mse(E_sa, E_sb) - mse(E_ta, E_tb))^2 + (mse(s_a, s_b) - mse(t_a, t_b))^2

    the latter if a and b have the same shape in both networks. The paper has transformations from block to block and
    does not scale the edges. SemCKD's code scales them and by default has no transformations, as here.

    Args:
        transforms: Pairs of layers (a, b).
        transforms_edges: If false, transformations compare vertices only.
    """

    def __init__(
        self,
        weight: float = 0.005,
        transforms: Sequence[tuple[Place, Place]] = (),
        transforms_edges: bool = True,
        at: Places = "embedding",
    ):
        super().__init__(weight)
        self.at = at
        self.transforms = [(_spot(a), _spot(b)) for a, b in transforms]
        self.transforms_edges = transforms_edges
        self.graphs: Sequence[Spot] = ()

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        self.graphs = pair(self.at, student, teacher)
        return [*self.graphs, *(spot for transform in self.transforms for spot in transform)]

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs with features (N, ...) -> ()"""
        loss = student.logits.new_zeros(())
        for place, counterpart in self.graphs:
            s, t = student[place], teacher[counterpart]
            loss = loss + F.mse_loss(edges(s), edges(t))
            if s.shape == t.shape:
                loss = loss + F.mse_loss(s, t)
        for a, b in self.transforms:
            s_pair, t_pair = (student[a.student], student[b.student]), (teacher[a.teacher], teacher[b.teacher])
            if self.transforms_edges:
                s_change, t_change = (F.mse_loss(edges(x), edges(y)) for x, y in (s_pair, t_pair))
                loss = loss + (s_change - t_change).square()
            if all(x.shape == y.shape for x, y in (s_pair, t_pair)):
                loss = loss + (F.mse_loss(*s_pair) - F.mse_loss(*t_pair)).square()
        return loss


def edges(features: Tensor) -> Tensor:
    """(N, ...) -> (N, N)"""
    distances = squared_distances(gram(features))
    return distances / (distances.max() + 1e-12)


def _spot(place: Place) -> Spot:
    return Spot(place, place) if isinstance(place, str) else Spot(*place)
