"""The gate: teachers that cannot teach are refused with the way out, and none is changed unnoticed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stillhouse.checkpoints import fingerprint
from stillhouse.data import Data
from stillhouse.training.evaluation import Scores
from stillhouse.training.teacher_checks import check_classes, check_teacher, normalisation_note
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet

DATA = quick_data()
LABELS = torch.arange(400) % 4
KNOWN = {"classes": ["a", "b", "c", "d"]}


def outputs(answers: Tensor, classes: int = 4, labels: Tensor = LABELS) -> Scores:
    """As if a network had given these answers."""
    return Scores(torch.nn.functional.one_hot(answers, classes).float(), labels)


def half_right() -> Tensor:
    return torch.where(torch.arange(400) % 8 < 4, LABELS, (LABELS + 1) % 4)


def with_classes(*names: str) -> Data:
    return replace(DATA, classes=names)


def test_a_teacher_that_knows_the_classes_passes() -> None:
    check_teacher("t", outputs(half_right()), DATA, {})
    check_teacher("t", outputs(LABELS), DATA, KNOWN)


def test_few_images_ask_for_no_impossible_accuracy() -> None:
    labels = torch.arange(4)
    check_teacher("t", outputs(labels, labels=labels), DATA, {})


def test_wrong_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"teacher t tells 10 classes apart and quick has 4; .* stillhouse train"):
        check_teacher("t", outputs(LABELS, 10), DATA, {})


def test_other_classes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"teacher t was not trained on these classes \(it does not know c, d\)"):
        check_teacher("t", outputs(LABELS), DATA, {"classes": ["a", "b", "x", "y"]})
    with pytest.raises(ValueError, match="teacher t was trained on the same classes in another order"):
        check_teacher("t", outputs(LABELS), DATA, {"classes": ["b", "a", "c", "d"]})
    with pytest.raises(ValueError, match=r"the network n was not trained on these classes"):
        check_classes("the network n", outputs(LABELS), with_classes("a", "b", "c", "z"), KNOWN)


def test_chance_is_refused_with_the_way_out() -> None:
    answers = torch.randint(0, 4, (400,), generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        ValueError, match=r"no better than chance \(25.00 %\): its head is untrained.*--teacher_weights"
    ):
        check_teacher("t", outputs(answers), DATA, {})


def test_the_same_answer_to_everything_is_refused_even_if_it_is_often_right() -> None:
    labels = torch.cat([torch.zeros(360, dtype=torch.int64), torch.ones(40, dtype=torch.int64)])
    with pytest.raises(ValueError, match=r"right on 90.00 % .* its head is untrained"):
        check_teacher("t", outputs(torch.zeros_like(labels), labels=labels), DATA, {})


@pytest.mark.parametrize("classes", [2, 4])
def test_an_order_of_classes_that_is_not_the_datas_is_recognised(classes: int) -> None:
    data, labels = with_classes(*"abcd"[:classes]), torch.arange(400) % classes
    with pytest.raises(ValueError, match=r"in another order it would be right on 100.0 %.*rename the class folders"):
        check_teacher("t", outputs((labels + 1) % classes, classes, labels), data, {})


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf")])
def test_a_teacher_that_answers_no_numbers_is_refused(spoilt: float) -> None:
    scores = outputs(LABELS)
    scores.logits[7, 0] = spoilt
    with pytest.raises(ValueError, match="answers with NaN or infinity: its weights are spoilt"):
        check_teacher("t", scores, DATA, {})


def test_other_normalisation_is_noted() -> None:
    ours = {"mean": list(DATA.mean), "std": list(DATA.std)}
    assert normalisation_note({}, DATA) is None
    assert normalisation_note(ours, DATA) is None
    note = normalisation_note(ours | {"std": [1.0, 1.0, 1.0]}, DATA)
    assert note is not None
    assert "std [1.0, 1.0, 1.0]" in note


def test_fingerprint_sees_every_parameter_and_buffer_bit_by_bit() -> None:
    net = QuickNet()
    seen = {fingerprint(net)}
    assert fingerprint(net) in seen
    for name in ("head.bias", "stage1.1.running_mean", "stage1.1.num_batches_tracked"):
        net.state_dict()[name].view(-1)[0] += 1
        seen.add(fingerprint(net))
    with torch.no_grad():
        net.head.weight[0, 0] = -net.head.weight[0, 0] * 0.0  # a zero of a sign
        zero = fingerprint(net)
        net.head.weight[0, 0] *= -1
    assert fingerprint(net) != zero
    assert len(seen) == 4
