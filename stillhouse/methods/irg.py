"""Instance relationship graphs: match the distances of all samples, and how they change between layers."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from ..anatomy import Anatomy
from ..layers.affinity import gram, squared_distances
from ..method import Method, Places, Spot, pair
from ..outputs import Batch, Outputs

Place = str | tuple[str, str]  # one name for both networks, or (student, teacher) names


class IRG(Method):
    """Knowledge Distillation via Instance Relationship Graph (Liu et al., CVPR 2019).

    A graph has samples as vertices and their squared distances, over the largest one, as edges E. The loss is

        mse(E_s, E_t) + mse(s, t)        the latter where the two networks' features have the same shape

    and, for each transformation from layer a to layer b, ( mse(E_sa, E_sb) - mse(E_ta, E_tb) )^2 and the same of
    the features themselves where a and b have one shape. SemCKD's code, whose CIFAR-100 results are published, uses
    no transformations; the paper has some between its blocks.

    Args:
        transforms: Pairs of layers (a, b).
        edges: Whether transformations compare edges; without, only features.
    """

    def __init__(
        self,
        weight: float = 0.005,
        transforms: Sequence[tuple[Place, Place]] = (),
        edges: bool = True,
        at: Places = "embedding",
    ):
        super().__init__(weight)
        self.at = at
        self.transforms = [(_spot(a), _spot(b)) for a, b in transforms]
        self.edges = edges

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        self.graphs = pair(self.at, student, teacher)
        return [*self.graphs, *(spot for transform in self.transforms for spot in transform)]

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs at the spots -> ()"""
        loss = student.logits.new_zeros(())
        for spot in self.graphs:
            s, t = student[spot.student], teacher[spot.teacher]
            loss = loss + _difference(_edges(s), _edges(t)) + _vertex_difference(s, t)
        for a, b in self.transforms:
            s, t = (student[a.student], student[b.student]), (teacher[a.teacher], teacher[b.teacher])
            if self.edges:
                s_edges, t_edges = (_difference(_edges(x), _edges(y)) for x, y in (s, t))
                loss = loss + (s_edges - t_edges).square()
            if s[0].shape == s[1].shape and t[0].shape == t[1].shape:
                loss = loss + (F.mse_loss(*s) - F.mse_loss(*t)).square()
        return loss
