"""Knowledge distillation by singular vectors: match how the main directions of maps relate from stage to stage."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from ..anatomy import Anatomy
from ..batch import Batch, DataInfo
from ..method import Method, Places, Spot, needs_maps, pair
from ..taps import Outputs
from .layers.feature_maps import needs_equal_channels


class KDSVD(Method):
    """Self-supervised Knowledge Distillation Using Singular Value Decomposition (Lee et al., ECCV 2018,
    arXiv:1807.06819).

    A map (C, H, W) is a matrix (H W, C) with the right singular vectors v, the strongest first. For consecutive stages
    a and b the loss is the sum of (R_s - R_t)^2 with

        R_ij = exp(-(v_bi - v_aj)^2 / 8)

    for the teacher's first vectors, and for the closest to them (up to sign) of the student's first four. A singular
    vector's sign is arbitrary. RepDistiller's code takes the sign that the solver returns, which differs between
    libraries and devices. Here the teacher's vector has a positive sum, so the loss equals theirs only if the solver
    returns these signs. Where the teacher's map is all zero, v is 0, as in their code.

    Args:
        rows: One row of a map's matrix for each of its "positions", (H W, C), as in RepDistiller, or for each of its
            "lines", (C H, W), as in mdistiller, which takes maps of equal width instead of equal channels.
    """

    def __init__(self, weight: float = 1.0, rows: Literal["positions", "lines"] = "positions", at: Places = "stages"):
        super().__init__(weight)
        self.rows, self.at = rows, at

    def choose_spots(self, student: Anatomy, teacher: Anatomy) -> list[Spot]:
        spots = pair(self.at, student, teacher)
        if len(spots) < 2:
            raise ValueError(f"KDSVD must read two maps or more, but at={self.at!r} names one; name more")
        return spots

    def build(self, student: Outputs, teacher: Outputs, data: DataInfo) -> None:
        for spot in self.spots:
            s, t = student[spot.student], teacher[spot.teacher]
            needs_maps("KDSVD", student=s, teacher=t)
            if self.rows == "positions":
                needs_equal_channels("KDSVD", spot, s, t)
            elif s.shape[3] != t.shape[3]:
                raise ValueError(
                    f"KDSVD must read maps of equal width where rows are lines, but the student's {spot.student!r} is "
                    f"{s.shape[3]} wide and the teacher's {spot.teacher!r} {t.shape[3]}; name other places with at"
                )

    def forward(self, student: Outputs, teacher: Outputs, batch: Batch) -> Tensor:
        """Outputs with maps (N, C, H, W), of equal channels -> (N,)"""
        matrices = ((self.matrix(student[spot.student]), self.matrix(teacher[spot.teacher])) for spot in self.spots)
        vectors = [aligned_vectors(s, t) for s, t in matrices]
        first, *others = (
            (_relation(s_lower, s_upper) - _relation(t_lower, t_upper)).square().sum((1, 2))
            for (s_lower, t_lower), (s_upper, t_upper) in pairwise(vectors)
        )
        return sum(others, start=first)

    def matrix(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, rows, columns)"""
        return maps.flatten(2).mT if self.rows == "positions" else maps.flatten(1, 2)


def aligned_vectors(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """(N, Rs, D), (N, Rt, D) matrices -> the chosen right singular vector of each, (N, D), (N, D)"""
    t_values, t_vectors = _decompose(teacher)
    t_first = t_vectors[:, :, :1]
    t_first = t_first * _sign(t_first.sum(1, keepdim=True))
    values, s_vectors = _decompose(student)
    along = s_vectors[:, :, :4].mT @ t_first  # (N, 4, 1)
    closest = along.abs().argmax(1, keepdim=True)
    s_closest = _with_gradient(closest, values, s_vectors, student) * _sign(along.gather(1, closest))
    strength = t_values[:, :1] / t_values[:, :1].clamp(min=1e-12)  # 1, or 0 for a map that is all zero
    return s_closest.squeeze(2) * strength, t_first.squeeze(2) * strength


@torch.no_grad()
def _decompose(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(N, R, D) -> singular values (N, K), right singular vectors (N, D, K)"""
    _, values, vectors = torch.linalg.svd(matrix, full_matrices=False)
    return values, vectors.mT


def _with_gradient(chosen: Tensor, values: Tensor, vectors: Tensor, matrix: Tensor) -> Tensor:
    """Return the chosen vectors v, (N, D, 1), with the gradient of an eigenvector of X^T X

        dv = sum over the other eigenvectors w of  w (w . d(X^T X) v) / (eigenvalue of v - eigenvalue of w)

    except where the two eigenvalues are equal: this is infinite there, since v could be any mixture of v and w.
    """
    v = vectors.gather(2, chosen.expand(-1, vectors.shape[1], -1))
    image = matrix.mT @ (matrix @ v)
    inside = vectors.mT @ image  # the vectors that are not among `vectors` have the eigenvalue 0
    eigenvalues = values.square()[:, :, None]
    own, close = eigenvalues.gather(1, chosen), torch.finfo(values.dtype).eps * eigenvalues[:, :1]
    step = vectors @ (inside * _inverse(own - eigenvalues, close)) + (image - vectors @ inside) * _inverse(own, close)
    return v + (step - step.detach())


def _inverse(gaps: Tensor, close: Tensor) -> Tensor:
    apart = gaps.abs() > close
    return apart / torch.where(apart, gaps, 1)


def _relation(lower: Tensor, upper: Tensor) -> Tensor:
    """(N, C), (N, D) -> (N, D, C)"""
    return (-(upper[:, :, None] - lower[:, None]).square() / 8).exp()


def _sign(values: Tensor) -> Tensor:
    return 1 - 2 * (values < 0).to(values.dtype)
