"""Scores, against counting by hand."""

import pytest
import torch
from torch import Tensor, nn

from stillhouse import distributed
from stillhouse.training.evaluation import Scores, batch_size, evaluate, size_of
from tests.helpers.data import quick_data, split
from tests.helpers.networks import QuickNet

CPU = torch.device("cpu")


def test_scores_are_percentages_counted_by_hand() -> None:
    logits = torch.tensor(
        [[9.0, 5, 4, 3, 2, 1, 0], [0, 9, 5, 4, 3, 2, 1], [0, 1, 2, 3, 4, 5, 9], [1, 2, 3, 4, 5, 6, 7]]
    )
    scores = Scores(logits, torch.tensor([0, 2, 0, 2]))
    assert scores.top1 == 25.0  # the first
    assert scores.top5 == 75.0  # all but the third, whose class 0 is its last guess
    other = Scores(logits[[0, 1, 0, 0]], scores.labels)
    assert scores.agreement(other) == 50.0
    by_hand = [-(row[label] - row.exp().sum().log()) for row, label in zip(logits, scores.labels, strict=True)]
    assert scores.loss == pytest.approx(sum(by_hand).item() / 4)


def test_percentages_are_exact_and_are_rounded_alike_everywhere() -> None:
    labels = (torch.arange(480) >= 321).long()
    zeros = Scores(torch.tensor([[1.0, 0.0]]).expand(480, 2), labels)
    assert zeros.top1 == 66.875  # in float32 it would be 66.8749988, and printed as 66.87
    assert zeros.agreement(Scores(1 - torch.eye(2)[1 - labels], labels)) == 66.875


def test_top5_of_few_classes_is_everything() -> None:
    assert Scores(torch.randn(3, 2), torch.tensor([0, 1, 0])).top5 == 100.0


class Brightness(nn.Module):
    """Says how bright each image is, and that it was asked in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.asked: list[tuple[int, bool]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.asked.append((len(images), self.training))
        return images.mean((2, 3)) * self.scale


def test_every_image_is_evaluated_once_in_order_and_in_eval_mode() -> None:
    data = quick_data(images=40)
    model = Brightness().train()
    scores = evaluate(model, data.test, CPU)
    expected = torch.cat([batch.images.mean((2, 3)) for batch in data.test.batches(CPU, 7)])
    assert torch.allclose(scores.logits, expected)
    assert torch.equal(scores.labels, data.test.labels)
    assert model.asked == [(len(data.test), False)]
    assert len(data.test) < batch_size(data.test.batch_size)
    assert model.training
    assert not scores.logits.requires_grad


def test_what_several_ranks_say_is_put_into_the_order_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images, model = split(21, batch_size=1), Brightness()
    alone, heard = evaluate(model, images, CPU), list[object]()
    assert [asked for asked, _ in model.asked] == [4, 4, 4, 4, 4, 1]

    def collected(value: object) -> list[object]:
        heard.append(value)
        return heard

    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    monkeypatch.setattr(distributed, "collect", collected)
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        together = evaluate(model, images, CPU)
    assert torch.equal(together.logits, alone.logits)
    assert torch.equal(together.labels, alone.labels)


def test_evaluation_looks_at_more_images_than_training_where_memory_allows() -> None:
    assert [batch_size(trained) for trained in (1, 8, 64, 100, 512)] == [4, 32, 256, 256, 512]


def test_size_counts_parameters_and_multiply_accumulates() -> None:
    model = QuickNet(num_classes=4, width=4).train()
    parameters, macs = size_of(model, 16)
    convolutions = 3 * 4 * 9 * 8 * 8 + 4 * 8 * 9 * 4 * 4
    assert macs == convolutions + 8 * 4
    assert parameters == 3 * 4 * 9 + 2 * 4 + 4 * 8 * 9 + 2 * 8 + 8 * 4 + 4
    assert model.training
