"""Defaults that depend on the data: small data sets have a short training of their own, all others the protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...training.teachers.places import place_of

# digits: 8x8 pixels hold no more at 32 px than at 16, where a step costs a quarter. All are centred, so none is
# shifted. In a short training the rate falls over the whole of it, and rises first, while BatchNorms know little.
# Of temperatures 2 and 4 and two pairs of weights, these gained most over a student by itself in seeds 0 to 2.
SUITED: dict[str, dict[str, object]] = {
    "digits": {
        "teacher": "resnet20",
        "methods": "CE(weight=0.1), KD(weight=0.9, temperature=2)",
        "image_size": 16,
        "crop": "none",
        "schedule": "cosine",
        "lr_warmup": 1.0,
        "teacher_epochs": 8,  # of 4 it learns too little in some seeds; a student of 8 gains less by a teacher
    }
}
# For the help; that of the teacher says it itself.
IN_HELP = {name: f"{{}}, for digits {value}" for name, value in SUITED["digits"].items() if name != "teacher"}


def suited(values: Mapping[str, Any], given: Collection[str] = ()) -> dict[str, object]:
    """Return the defaults of a training that suit its data, for those of its options that have others.

    Args:
        values: The options of a command; a recipe, a file of options or a trained teacher is to be followed instead.
        given: The options that the user gave.
    """
    if values.get("recipe") or "config" in given:
        return {}
    found = {name: value for name, value in SUITED.get(str(values["data"]), {}).items() if name in values}
    if "teacher" in values and (values["teacher_weights"] or place_of(values["teacher"])):
        found.pop("image_size", None)  # it decides the size
        found.pop("teacher_epochs", None)  # it is not trained
    if "epochs" in given:
        found.pop("teacher_epochs", None)  # these are for both
    if {"milestones", "lr_decay"} & set(given):
        found.pop("schedule", None)  # these are for steps
    return {name: value for name, value in found.items() if name not in given}
