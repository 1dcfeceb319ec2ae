"""What a network guessed, kept and read again."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stillhouse.training.evaluation import Scores
from stillhouse.training.predictions import FILE, Predictions, read_predictions

LOGITS = torch.tensor([[0.0, 3.0, 1.0], [2.0, 2.0, -50.0], [0.0, 0.0, 9.0], [5.0, 1.0, 1.0]])
SCORES = Scores(LOGITS, torch.tensor([1, 0, 0, 0]))


def test_they_are_the_first_guesses_with_their_probabilities() -> None:
    said = Predictions.of(SCORES)
    assert said.guesses.tolist() == [1, 0, 2, 0]
    assert said.labels.tolist() == [1, 0, 0, 0]
    expected = [LOGITS[i].double().softmax(0)[guess].item() for i, guess in enumerate((1, 0, 2, 0))]
    assert said.confidence.tolist() == pytest.approx(expected, rel=1e-6)
    assert 100 * said.correct.float().mean().item() == SCORES.top1 == 75


def test_they_are_read_as_they_were_written(tmp_path: Path) -> None:
    said = Predictions.of(SCORES)
    (tmp_path / FILE).write_bytes(said.to_bytes())
    again = read_predictions(tmp_path)
    assert again is not None
    for name in ("guesses", "confidence", "labels"):
        assert torch.equal(getattr(again, name), getattr(said, name))
    assert said.to_bytes() == Predictions.of(SCORES).to_bytes()


def test_a_run_that_kept_none_has_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"guesses": torch.zeros(3)}, "it holds guesses"),
        ({}, "it holds nothing"),
        (
            {"guesses": torch.zeros(3).int(), "labels": torch.zeros(2).int(), "confidence": torch.zeros(3)},
            "other lengths",
        ),
    ],
)
def test_something_else_is_refused(tmp_path: Path, content: dict[str, torch.Tensor], why: str) -> None:
    save_file(content, tmp_path / FILE)
    with pytest.raises(ValueError, match=f"damaged .*{why}"):
        read_predictions(tmp_path)
    (tmp_path / FILE).write_bytes(b"no such thing")
    with pytest.raises(ValueError, match="is damaged"):
        read_predictions(tmp_path)
