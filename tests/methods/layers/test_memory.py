from collections import Counter

import pytest
import torch

from stillhouse.methods.layers.memory import Classmates, Memory
from tests.golden.closed_form import u

ON = torch.ones(4, dtype=torch.bool)


def _memory() -> Memory:
    memory = Memory(6, 3, momentum=0.75).double()
    memory.bank.copy_(u((6, 3), 1))
    return memory


def test_vectors_move_towards_what_is_new_and_have_unit_length() -> None:
    memory, new = _memory(), u((4, 3), 2)
    before = memory.bank.tolist()
    memory.update(torch.tensor([5, 0, 3, 2]), new, ON)
    for row, image in enumerate([5, 0, 3, 2]):
        moved = [0.75 * a + 0.25 * b for a, b in zip(before[image], new[row].tolist(), strict=True)]
        length = sum(x**2 for x in moved) ** 0.5
        assert memory.bank[image].tolist() == pytest.approx([x / length for x in moved], rel=1e-12)
    assert memory.bank[[1, 4]].tolist() == [before[1], before[4]]


def test_of_an_image_that_comes_up_twice_the_last_one_counts() -> None:
    once, twice, new = _memory(), _memory(), u((4, 3), 2)
    once.update(torch.tensor([1, 3]), new[[2, 3]], ON[:2])
    twice.update(torch.tensor([3, 1, 1, 3]), new, ON)
    assert twice.bank.equal(once.bank)


def test_samples_that_are_off_are_not_remembered() -> None:
    masked, without, new = _memory(), _memory(), u((4, 3), 2)
    masked.update(torch.tensor([3, 1, 2, 3]), new, torch.tensor([True, False, True, False]))
    without.update(torch.tensor([3, 2]), new[[0, 2]], ON[:2])
    assert masked.bank.equal(without.bank)


def test_an_empty_batch_changes_nothing() -> None:
    memory = _memory()
    memory.update(torch.tensor([], dtype=torch.long), torch.zeros(0, 3), ON[:0])
    assert memory.bank.equal(u((6, 3), 1))


def test_vectors_begin_with_about_unit_length_and_travel_with_the_state() -> None:
    memory = Memory(500, 128, 0.5)
    assert memory.bank.abs().max() <= (3 / 128) ** 0.5
    assert memory.bank.norm(dim=1).mean().item() == pytest.approx(1, abs=0.02)
    assert set(memory.state_dict()) == {"bank"}
    assert list(memory.parameters()) == []


LABELS = torch.tensor([2, 0, 2, 2, 1, 0, 2, 2])  # classes of 2, 1, 5 and no images


def _draw(own: bool, seed: int = 0, number: int = 3000) -> torch.Tensor:
    classmates = Classmates(LABELS, 4)
    draw = classmates.same if own else classmates.other
    return draw(torch.tensor([0, 1, 2]), number, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("own", [True, False], ids=["of the class", "of others"])
def test_every_image_that_qualifies_is_drawn_equally_often(own: bool) -> None:
    for label, drawn in enumerate(_draw(own)):
        pool = [i for i, other in enumerate(LABELS.tolist()) if (other == label) == own]
        counts = Counter(drawn.tolist())
        assert sorted(counts) == pool
        expected = 3000 / len(pool)
        assert sum((counts[i] - expected) ** 2 / expected for i in pool) < 25  # chi squared, at most 7 - 1 degrees


def test_draws_follow_the_generator() -> None:
    assert _draw(own=False).equal(_draw(own=False))
    assert not _draw(own=False).equal(_draw(own=False, seed=1))


def test_rows_are_drawn_independently() -> None:
    classmates = Classmates(torch.arange(100) % 10, 10)
    drawn = classmates.other(torch.zeros(50, dtype=torch.long), 20, torch.Generator().manual_seed(0))
    assert len({tuple(row) for row in drawn.tolist()}) == 50


def test_one_class_has_no_others() -> None:
    with pytest.raises(ValueError, match="the training images must have two or more labels, but all have the same"):
        Classmates(torch.ones(5, dtype=torch.long), 3)


def test_the_order_of_classes_is_not_saved() -> None:
    assert Classmates(LABELS, 4).state_dict() == {}
