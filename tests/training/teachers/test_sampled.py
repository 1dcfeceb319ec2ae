from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from stillhouse.data import Data
from stillhouse.models.input_spec import InputSpec
from stillhouse.report.intervals import of_share
from stillhouse.taps import Tapped
from stillhouse.training.teachers import sampled
from stillhouse.training.teachers.sampled import Look, look_at
from stillhouse.training.teachers.teacher import Teacher
from tests.helpers.data import quick_data
from tests.training.teachers.test_examine import Bright, teacher

CPU = torch.device("cpu")


def data() -> Data:
    made = quick_data(images=400)
    return replace(made, test=made.train)


class Knows(nn.Module):
    """Right on the images that its classes say, found again by their sums."""

    def __init__(self, held_out: Data, classes: torch.Tensor):
        super().__init__()
        self.fc = nn.Linear(1, 1)
        (batch,) = held_out.test.batches("cpu", len(held_out.test))
        self.sums, self.answers = batch.images.sum((1, 2, 3)), nn.functional.one_hot(classes, 4).float()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        places = (images.sum((1, 2, 3))[:, None] - self.sums).abs().argmin(1)
        return 5 * self.answers[places] + 0 * self.fc.weight.sum()


def knows(held_out: Data, classes: torch.Tensor) -> Teacher:
    sure = InputSpec(mean=held_out.mean, std=held_out.std)
    return Teacher(Tapped(Knows(held_out, classes)).eval(), "net", {}, sure)


def looked(found: Teacher, held_out: Data, seconds: float = 30.0) -> Look:
    return look_at(found, held_out, CPU, seconds)


def test_with_time_for_all_images_it_is_their_accuracy() -> None:
    held_out = data()
    labels = held_out.test.labels
    half = torch.where(torch.arange(400) < 300, labels, (labels + 1) % 4)
    found = looked(knows(held_out, half), held_out)
    assert (found.scores.top1, len(found.scores.labels), found.problem) == (75.0, 400, "")
    low, high = of_share(300, 400)
    assert str(found) == f"75.00 % top-1 on all 400 held-out images (95 % interval {low:.2f} to {high:.2f})"


def test_with_less_time_the_images_are_drawn_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    held_out = data()
    labels = held_out.test.labels
    monkeypatch.setattr(sampled, "_MOST", 200)
    late = torch.where(torch.arange(400) < 200, labels, (labels + 1) % 4)  # the first half right
    found = looked(knows(held_out, late), held_out)
    assert 35 < found.scores.top1 < 65
    assert " % top-1 on 200 of 400 held-out images, drawn at random (95 % interval " in str(found)
    assert len(looked(knows(held_out, late), held_out, seconds=0.0).scores.labels) == 32


def test_wrong_orders_of_classes_and_guesses_are_problems_and_few_images_none() -> None:
    held_out = data()
    turned = knows(held_out, (held_out.test.labels + 1) % 4)
    assert "with its classes in another order" in looked(turned, held_out).problem
    guesses = knows(held_out, torch.randint(4, (400,), generator=torch.Generator().manual_seed(0)))
    assert "no better than chance" in looked(guesses, held_out).problem
    assert looked(guesses, held_out, seconds=0.0).problem == ""


class Logits(Bright):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 5 * super().forward(images)


def test_a_normalisation_that_does_better_is_a_problem() -> None:
    problem = looked(teacher(Logits()), data()).problem
    assert re.match(r"the teacher net is right on [\d.]+ % of these; on images with mean 0.5 and std 0.5 it", problem)
