"""The model card of a run: what it says, and that a user's words in it are kept."""

from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

from stillhouse.report.model_card import FILE, compare, model_card, write_card
from stillhouse.training.predictions import Predictions

RESULT = {
    **{"top1": 62.5, "top5": 100.0, "test_loss": 0.75, "best_top1": 75.0, "best_epoch": 2, "epochs": 3},
    **{
        "best_measured_on": "test",
        "network": "/home/me/nets.py:Small",
        "data": "pets",
        "data_hash": "d1",
        "macs": 12e6,
    },
    **{"image_size": 32, "mean": [0.5] * 3, "std": [0.25] * 3, "weights_hash": "w1", "seconds": 3600.0},
    **{"classes": ["cat", "dog", "<b>", "ant", "bee", "cow"], "device": "cpu x 2", "torch": "2.11", "macs": 12e6},
    "parameters": 1234,
    **{"teacher": {"network": "timm:resnet50", "weights_hash": "t1"}, "teacher_top1": 80.0, "stillhouse": "0.1.0"},
}
CONFIG = {
    **{"data": "/home/me/pets", "methods": ["CE(weight=1.0)", "my_kd.py:MyKD(weight=2)"], "lr": 0.05, "seed": 0},
    **{"schedule": "cosine", "milestones": [0.5], "clip_norm": 0.0, "teacher": "/home/me/runs/teacher"},
}


def predictions() -> Predictions:
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 4], dtype=torch.int32)
    guesses = torch.tensor([0, 0, 1, 0, 2, 1, 3, 0], dtype=torch.int32)
    return Predictions(guesses, torch.full((8,), 0.5), labels)


def card() -> str:
    return model_card(RESULT, CONFIG, predictions())


def test_the_hub_reads_its_metadata() -> None:
    read = ModelCard(card()).data
    (result,) = read.get("eval_results")
    assert read.get("pipeline_tag") == "image-classification"
    assert (result.dataset_name, result.metric_type) == ("pets", "accuracy")
    assert result.metric_value == 0.625
    assert read.get("license") is None  # only its owner knows


def test_figures_have_their_interval_and_say_what_flatters() -> None:
    text = card()
    # By hand, z = 1.959964: (0.625 + z^2/16 +- z sqrt(0.625 * 0.375 / 8 + z^2 / 256)) / (1 + z^2 / 8)
    assert "62.50 %, 95 % interval 30.57 to 86.32 (Wilson; 5 of 8 test images, one seed)" in text
    assert "75.00 % (chosen by the test images, so it flatters)" in text
    assert "| best epoch, 2 of 3 |" in text
    assert "80.00 %" in text
    assert "12.0 M" in text


def test_the_protocol_is_there_without_names_of_the_machine() -> None:
    text = card()
    assert "/home/me" not in text
    assert "nets.py:Small" in text.replace("\\", "")
    assert "MyKD(weight=2)" in text
    assert "| seed | 0 |" in text
    assert "milestones" not in text  # the cosine has none
    assert "clip" not in text  # off
    for known in ("fingerprint d1", "weights t1", "w1", "cpu x 2, 1.00 h", "torch 2.11"):
        assert known in text


def test_names_of_classes_are_shown_not_run() -> None:
    text = card()
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_classes_stand_with_their_intervals_and_images_the_worst_first() -> None:
    text = model_card({**RESULT, "train_counts": [7, 6, 5, 4, 3, 1200]}, CONFIG, predictions())
    # By hand: 1 of 2 is 50 %, (0.5 + z^2 / 4 +- z sqrt(0.25 / 2 + z^2 / 16)) / (1 + z^2 / 2)
    assert text.index("| bee | 0.0 % | 0.0 to 79.3 | 1 | 3 |") < text.index("| dog | 50.0 % | 9.5 to 90.5 | 2 | 6 |")
    assert text.index("| cat | 100.0 % | 34.2 to 100.0 | 2 | 7 |") < text.index("| cow |  |  | 0 | 1,200 |")
    assert "| training images | 1,225, 3 to 1,200 of each class |" in text
    many = {**RESULT, "classes": [f"c{i}" for i in range(30)]}
    assert "The 5 worst of 30 classes:" in model_card(many, CONFIG, predictions())
    assert "| c5 |" not in model_card(many, CONFIG, predictions())  # without a test image


def test_it_says_how_images_are_made_and_were_shown() -> None:
    result = {**RESULT, "share": 0.875, "views": "new views in each epoch, never mirrored", "validation_images": 1500}
    text = model_card(result, CONFIG, None)
    assert "cropped to the middle square of 87.5 % of the shorter side, 32x32 pixels in RGB" in text
    assert "| views in training | new views in each epoch, never mirrored |" in text
    assert "| validation images | 1,500 |" in text
    padded = model_card({**result, "images": {"resize": "pad"}}, CONFIG, None)
    assert "padded to a square, 32x32 pixels" in padded


def test_data_of_the_hub_are_named_as_the_hub_names_them() -> None:
    read = ModelCard(model_card(RESULT, {**CONFIG, "data": "hf:uoft-cs/cifar100/fine@abc"}, None)).data
    assert read.get("datasets") == ["uoft-cs/cifar100"]
    assert read.get("eval_results")[0].dataset_type == "uoft-cs/cifar100"


def test_a_run_of_a_user_program_has_a_card_with_what_is_known() -> None:
    known = {name: RESULT[name] for name in ("top1", "top5", "test_loss", "best_top1")}
    text = model_card(known, {}, None)
    assert "62.50 %" in text
    assert "| data | not recorded |" in text
    yaml.safe_load(text.split("---")[1])


def test_what_a_user_filled_in_stays(tmp_path: Path) -> None:
    write_card(tmp_path, card())
    path = tmp_path / FILE
    mine = path.read_text().replace("* **Contact**: whom to write to.", "* **Contact**: me@example.org")
    path.write_text(mine)
    write_card(tmp_path, card())
    assert path.read_text() == mine
    compare(tmp_path, "| baseline | 60.00 |")
    compared = path.read_text()
    assert "me@example.org" in compared
    assert "## Compared with\n\n| baseline | 60.00 |\n\n## How it was trained" in compared
    compare(tmp_path, "| other | 1.00 |")
    assert path.read_text() == compared  # once


def test_nothing_is_compared_where_there_is_no_card(tmp_path: Path) -> None:
    compare(tmp_path, "| baseline | 60.00 |")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("measured_on", ["test", "validation"])
def test_a_teacher_is_said_to_be_measured_where_it_was(measured_on: str) -> None:
    text = model_card({**RESULT, "best_measured_on": measured_on}, CONFIG, None)
    assert f"top-1 of its teacher, {measured_on} images" in text
