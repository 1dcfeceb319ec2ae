"""The gate: what passes, and what does not, and in which words."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from stillhouse.export.gate import judge

LABELS = torch.arange(100) % 4


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    """100 images whose first three pixels are a number."""
    pixels = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1).expand(100, 3, 8, 8)
    return zip(torch.split(pixels, 32), torch.split(LABELS, 32), strict=True)


def student(pixels: Tensor) -> Tensor:
    """(N, 3, S, S) -> (N, 4): right on all images but the first ten, with logits up to 8."""
    number = pixels[:, 0, 0, 0].long()
    wrong = number < 10
    return 8.0 * torch.eye(4)[(number + wrong) % 4]


def test_an_equal_file_passes_and_all_images_are_counted_once() -> None:
    verdict = judge(batches(), student, student)
    assert verdict.failures(0.0, is_quantised=False) == []
    assert verdict.student.images == 100
    assert verdict.student.top1 == 90
    assert {size: one.top1 for size, one in verdict.tallies.items()} == {1: 90, 32: 90}
    assert (verdict.drop, verdict.same_percent, verdict.difference, verdict.largest) == (0, 100, 0, 8)


def shifted(pixels: Tensor) -> Tensor:
    return student(pixels) + 0.004


def other_guesses(pixels: Tensor) -> Tensor:
    """Another class for the ten that the student gets wrong; as right as the student, or more."""
    return 8.0 * torch.eye(4)[(pixels[:, 0, 0, 0].long() + 2 * (pixels[:, 0, 0, 0] < 10)) % 4]


def less_right(pixels: Tensor) -> Tensor:
    return 8.0 * torch.eye(4)[(pixels[:, 0, 0, 0].long() + (pixels[:, 0, 0, 0] < 11)) % 4]


def alone_otherwise(pixels: Tensor) -> Tensor:
    return student(pixels) if len(pixels) > 1 else student(pixels).roll(1, 1)


def not_alone(pixels: Tensor) -> Tensor:
    if len(pixels) == 1:
        raise ValueError("it takes 2 images")
    return student(pixels)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (shifted, "differ from the student's by up to 0.004, 0.0005 of the largest"),
        (other_guesses, "guesses as the student does for 90.00 % of the images"),
        (less_right, "is right on 89.00 % of the held-out images, the student on 90.00 %: 1.00 points less"),
        (alone_otherwise, "guesses the same in batches of 1 and 32 for 0.00 % of the images"),
        (not_alone, "in batches of 1: it takes 2 images"),
        (lambda pixels: student(pixels) * torch.nan, "in batches of 1: it returns NaN"),
        (lambda pixels: student(pixels)[:, :3], r"in batches of 1: it returns \(3,\) numbers an image, not \(4,\)"),
    ],
)
def test_every_difference_is_found(file: object, why: str) -> None:
    verdict = judge(batches(), student, file)  # type: ignore[arg-type] # as above
    failures = verdict.failures(0.5, is_quantised=False)
    with pytest.raises(ValueError, match=why):
        raise ValueError("; ".join(failures))


def test_a_quantised_file_may_differ_but_not_lose_accuracy() -> None:
    assert judge(batches(), student, shifted).failures(0.5, is_quantised=True) == []
    assert judge(batches(), student, other_guesses).failures(0.5, is_quantised=True) == []
    assert len(judge(batches(), student, less_right).failures(0.5, is_quantised=True)) == 1
    assert judge(batches(), student, less_right).failures(1.0, is_quantised=True) == []
    assert len(judge(batches(), student, alone_otherwise).failures(100, is_quantised=True)) == 1
