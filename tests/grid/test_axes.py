"""Axes as they are typed, and their combinations."""

import pytest

from stillhouse.grid.axes import Span, combinations, numbers, read_axes, words
from stillhouse.methods.parse import MethodSpec


def test_lists_ranges_and_values_that_change_together() -> None:
    axes = read_axes("KD.temperature=2,4.5; lr=0.01..0.1:3log; CE.weight/KD.weight=0.2/0.8, 0.4/0.6")
    assert [axis.name for axis in axes] == ["KD.temperature", "lr", "CE.weight/KD.weight"]
    assert axes[0].points == ((2,), (4.5,))
    assert axes[1].points == ((0.01,), (0.03162,), (0.1,))
    assert axes[2].points == ((0.2, 0.8), (0.4, 0.6))
    assert [list(numbers(axis)) for axis in axes] == [[2, 4.5], [0.01, 0.03162, 0.1], []]
    cells = combinations(axes)
    assert len(cells) == 12
    assert cells[1] == {"KD.temperature": 2, "lr": 0.01, "CE.weight": 0.4, "KD.weight": 0.6}
    assert words(cells[1]) == "KD.temperature=2, lr=0.01, CE.weight=0.4, KD.weight=0.6"


def test_whole_numbers_stay_whole() -> None:
    (axis,) = read_axes("KD.temperature=2..5")
    assert repr(axis.points) == "((2,), (3,), (4,), (5,))"
    (axis,) = read_axes("KD.temperature=1..16:5log")
    assert repr(axis.points) == "((1,), (2,), (4,), (8,), (16,))"


def test_values_that_are_lists_methods_words_or_truths() -> None:
    text = 'X.at=["stem", "stage1"],["stage2"]; kind=full,"a, b"; nesterov=true,False; W.method=KD,DKD(alpha=2)'
    axes = read_axes(text)
    assert axes[0].points == ((["stem", "stage1"],), (["stage2"],))
    assert axes[1].points == (("full",), ("a, b",))
    assert axes[2].points == ((True,), (False,))
    methods = [point[0] for point in axes[3].points] if isinstance(axes[3].points, tuple) else []
    assert [one.name for one in methods if isinstance(one, MethodSpec)] == ["KD", "DKD"]


def test_a_mapping_from_a_file() -> None:
    mapping = {"KD.temperature": [2, 4], "lr": "0.01..0.1:log", "CE.weight/KD.weight": [[0.2, 0.8], "0.4/0.6"]}
    axes = read_axes(mapping)
    assert axes[1].points == Span(0.01, 0.1, is_log=True)
    assert axes[2].points == ((0.2, 0.8), (0.4, 0.6))
    assert read_axes(["KD.temperature=2,4", "lr=0.1"])[0] == axes[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("lr", "must be NAME=VALUE"),
        ("lr=", "must be NAME=VALUE"),
        ("lr=0.1,0.1", "has the value 0.1 twice"),
        ("lr=0.1; lr=0.2", "sets lr twice"),
        ("lr=0.1; lr/x=1/2", "sets lr twice"),
        ("lr=0.2..0.1", "to a larger one"),
        ("lr=0..0.1:3log", "must begin above 0"),
        ("lr=0.1..0.2:1", "from 2 to"),
        ("epochs=1..3:9", "only 3 different"),
        ("lr=0.1..0.2:3, 0.5", "must stand alone"),
        ("lr/x=1", "must be 2 values"),
        ("lr/=1/2", "empty name"),
        ("KD.weight=what is this", "neither a number, a method nor a word"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_axes(text)


def test_a_range_without_a_number_of_values_and_too_many_cells_are_no_grid() -> None:
    with pytest.raises(ValueError, match=r"write lr=0.1\.\.0.2:5"):
        combinations(read_axes("lr=0.1..0.2"))
    with pytest.raises(ValueError, match="at most 10,000 cells, not 1,000,000"):
        combinations(read_axes("a=1..100; b=1..100; c=1..100"))


def test_students_and_their_methods_are_texts() -> None:
    student, methods = read_axes("student=resnet8,torchvision:resnet18; methods=CE + KD(temperature=2), CE + AT")
    assert student.points == (("resnet8",), ("torchvision:resnet18",))
    assert methods.points == (("CE + KD(temperature=2)",), ("CE + AT",))
    (joint,) = read_axes({"student/methods/lr": [["nets/a.py:small", "CE", 0.1]]})
    assert joint.points == (("nets/a.py:small", "CE", 0.1),)
