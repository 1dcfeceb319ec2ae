"""The small networks are what they are said to be."""

import torch

from stillhouse.contract.specimens import BATCH, CLASSES, PAIRS, batch
from stillhouse.taps import Tapped


def test_pairs_differ_in_stages_channels_sizes_and_kind() -> None:
    stages = [(len(pair.student().anatomy.stages), len(pair.teacher().anatomy.stages)) for pair in PAIRS]
    assert stages == [(3, 3), (3, 3), (4, 3), (3, 4), (4, 3), (3, 4)]
    shapes = [(_last(pair.student()), _last(pair.teacher())) for pair in PAIRS]
    assert shapes == [
        ((16, 4, 4), (24, 4, 4)),
        ((24, 4, 4), (24, 4, 4)),
        ((32, 2, 2), (24, 4, 4)),
        ((16, 4, 4), (32, 2, 2)),
        ((17, 16), (24, 4, 4)),
        ((16, 4, 4), (17, 16)),
    ]


def _last(net: Tapped) -> tuple[int, ...]:
    net.tap(["last_stage"])
    return tuple(net(batch().images)["last_stage"].shape[1:])


def test_networks_are_equal_each_time_and_tell_images_apart() -> None:
    for pair in PAIRS:
        for make in (pair.student, pair.teacher):
            logits = make().eval()(batch().images).logits
            assert logits.equal(make().eval()(batch().images).logits)
            assert logits.shape == (BATCH, CLASSES)
            assert 0.1 < logits.std(0).mean() < 10
        assert pair.student(1)(batch().images).logits.ne(pair.student()(batch().images).logits).all()


def test_every_step_has_images_of_its_own() -> None:
    assert batch(1).images.equal(batch(1).images)
    assert batch(1).images.ne(batch(2).images).all()
    assert batch(1).images.is_contiguous(memory_format=torch.channels_last)
    assert len(batch(size=3).labels) == 3
