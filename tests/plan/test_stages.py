"""Stages of two networks, and landmarks that can be typed again."""

from __future__ import annotations

import shlex

from stillhouse.anatomy import Anatomy
from stillhouse.cli.arguments import parse
from stillhouse.cli.options.distill import Distill
from stillhouse.models.create import network
from stillhouse.plan.stages import as_option, pairs
from stillhouse.taps import Tapped


def tapped(name: str) -> Tapped:
    model = network(name, 10, 32)
    return Tapped(model, Anatomy.of(model, 32))


def test_stages_are_paired_from_the_deepest_up() -> None:
    student, teacher = tapped("resnet8"), tapped("vgg8")
    rows = [
        ("" if own is None else str(own), "" if theirs is None else str(theirs))
        for own, theirs in pairs(student, teacher, 32)
    ]
    without = len(teacher.anatomy.stages) - 3
    assert without > 0
    assert [own for own, _ in rows[:without]] == [""] * without
    assert [own for own, _ in rows[without:]] == ["layer1 16x32x32", "layer2 32x16x16", "layer3 64x8x8", "fc:in 64"]
    assert all(theirs for _, theirs in rows)
    assert not teacher._places  # the hooks were on a copy


def test_what_is_printed_gives_the_same_landmarks_when_it_is_pasted() -> None:
    for name in ("resnet8", "torchvision:mobilenet_v3_small", "timm:vit_tiny_patch16_224"):
        size = 224 if ":" in name else 32
        model = network(name, 10, size)
        found = Anatomy.of(model, size)
        command = f"{as_option('student_anatomy', found)} {as_option('teacher_anatomy', found)}"
        asked = parse("distill", Distill, shlex.split(command)).distillation
        assert asked.student_anatomy == asked.teacher_anatomy == found
        assert Anatomy.of(model, size, asked.student_anatomy) == found
