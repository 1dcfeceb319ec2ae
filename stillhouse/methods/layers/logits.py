"""Transformations of logits, and their divergence."""

import torch
from torch import Tensor


def divergence(student: Tensor, teacher: Tensor, scale: float = 1.0) -> Tensor:
    """(N, C), (N, C) logits -> (N,), scale KL(softmax(teacher) || softmax(student))"""
    log_p, log_q = student.log_softmax(1), teacher.log_softmax(1)
    return (scale * log_q.exp() * (log_q - log_p)).sum(1)


def without(logits: Tensor, labels: Tensor) -> Tensor:
    """(N, C), (N,) -> (N, C - 1), the logits of all classes except the label's"""
    classes = torch.arange(logits.shape[1] - 1, device=logits.device)
    return logits.gather(1, classes + (classes >= labels[:, None]))


def binary(logits: Tensor, labels: Tensor) -> Tensor:
    """(N, C), (N,) -> (N, 2), whose softmax is the probability of the label's class and that of all others together"""
    return torch.cat([logits.gather(1, labels[:, None]), without(logits, labels).logsumexp(1, keepdim=True)], dim=1)


def z_score(logits: Tensor, unbiased: bool = False, eps: float = 1e-7) -> Tensor:
    """(N, C) -> (N, C), each row shifted and scaled to mean 0 and standard deviation 1

    Args:
        unbiased: Divide the sum of squares by C - 1 instead of C.
        eps: Added to the deviation.
    """
    std, mean = torch.std_mean(logits, dim=1, correction=int(unbiased), keepdim=True)
    return (logits - mean) / (std + eps)
