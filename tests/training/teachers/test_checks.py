"""The gate: teachers that cannot teach are refused with the way out, and none is changed unnoticed."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stillhouse.checkpoints import fingerprint
from stillhouse.data import Data
from stillhouse.training.evaluation import Scores
from stillhouse.training.teachers.checks import check_classes, check_teacher, order_problem, other_classes
from tests.helpers.data import quick_data
from tests.helpers.networks import QuickNet

DATA = quick_data()
LABELS = torch.arange(400) % 4
KNOWN = {"classes": ["a", "b", "c", "d"]}


def outputs(answers: Tensor, classes: int = 4, labels: Tensor = LABELS) -> Scores:
    """As if a network had given these answers."""
    return Scores(torch.nn.functional.one_hot(answers, classes).float() * 9, labels)


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
    with pytest.raises(ValueError, match=r"teacher t predicts 10 classes, but the data have 4; .* stillhouse train"):
        check_teacher("t", outputs(LABELS, 10), DATA, {})


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (["a", "c", "d"], "predicts 4 classes, but the data have 3, without b"),
        (["b"], "predicts 4 classes, but the data have 1, without a, c, d"),
        (["a", "x"], "predicts 4 classes, but the data have 2"),
    ],
)
def test_classes_that_the_data_lack_are_named(ours: list[str], said: str) -> None:
    assert other_classes(4, ours, ["a", "b", "c", "d"]) == said
    assert other_classes(4, ours, None) == said.partition(", without")[0]


def test_other_classes_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"teacher t was not trained on these classes \(it does not know c, d\)"):
        check_teacher("t", outputs(LABELS), DATA, {"classes": ["a", "b", "x", "y"]})
    check_teacher("t", outputs(LABELS), DATA, {"classes": ["b", "a", "c", "d"]})  # they were put into our order
    with pytest.raises(ValueError, match=r"the network n was not trained on these classes"):
        check_classes("the network n", outputs(LABELS), with_classes("a", "b", "c", "z"), KNOWN)


def test_chance_is_refused_with_the_way_out() -> None:
    answers = torch.randint(0, 4, (400,), generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        ValueError, match=r"no better than chance \(25.00 % for .* its head is untrained.*--teacher_weights"
    ):
        check_teacher("t", outputs(answers), DATA, {})


@pytest.mark.parametrize(("right", "passes"), [(120, False), (134, False), (136, True), (200, True)])
def test_an_accuracy_within_the_noise_of_chance_is_refused(right: int, passes: bool) -> None:
    """Four standard deviations of 400 answers at 25 % are 8.66 %."""
    answers = torch.where(torch.arange(400) < right, LABELS, (LABELS + 1 + torch.arange(400) // 4 % 3) % 4)
    assert int((answers == LABELS).sum()) == right
    if passes:
        assert check_teacher("t", outputs(answers), DATA, {}) is None
    else:
        with pytest.raises(ValueError, match="no better than chance"):
            check_teacher("t", outputs(answers), DATA, {})


def test_chance_is_the_share_of_the_commonest_class() -> None:
    labels = torch.tensor([0] * 320 + [1] * 80)
    answers = labels.clone()
    answers[:90] = 1  # right on 310 of 400: better than a guess, worse than naming the first class
    with pytest.raises(ValueError, match=r"right on 77.50 % .* no better than chance \(80.00 %"):
        check_teacher("t", outputs(answers, 2, labels), with_classes("a", "b"), {})
    answers[:30] = 0
    answers[30:90] = 0
    assert check_teacher("t", outputs(answers, 2, labels), with_classes("a", "b"), {}) is None


def test_few_images_are_said_to_be_too_few_with_an_interval_and_a_way_on() -> None:
    labels = torch.arange(12) % 2
    answers = torch.where(torch.arange(12) < 9, labels, 1 - labels)
    data = with_classes("a", "b")
    with pytest.raises(
        ValueError, match=r"75.00 % of only 12 held-out images: that may be 47 to 91 % .* too few .* true"
    ):
        check_teacher("t", outputs(answers, 2, labels), data, {})
    note = check_teacher("t", outputs(answers, 2, labels), data, {}, trust=True)
    assert note is not None
    assert "too few images to tell" in note


def test_few_images_are_enough_to_tell_what_has_learned_nothing() -> None:
    constant = torch.zeros(40, dtype=torch.int64)
    with pytest.raises(ValueError, match="no better than chance"):
        check_teacher("t", outputs(constant, labels=torch.arange(40) % 4), DATA, {})
    mostly_first = torch.arange(39).sub(30).clamp(min=0)  # in an order that 39 images of 20 classes cannot tell
    with pytest.raises(ValueError, match=r"right on 5.13 % of 39 .* no better than chance \(79.49 %"):
        check_teacher("t", outputs(torch.arange(39) % 20, 20, mostly_first), with_classes(*map(str, range(20))), {})


def test_the_same_answer_to_everything_is_refused_even_if_it_is_often_right() -> None:
    labels = torch.cat([torch.zeros(360, dtype=torch.int64), torch.ones(40, dtype=torch.int64)])
    with pytest.raises(ValueError, match=r"right on 90.00 % .* its head is untrained"):
        check_teacher("t", outputs(torch.zeros_like(labels), labels=labels), DATA, {})


@pytest.mark.parametrize("classes", [2, 4])
def test_an_order_of_classes_that_is_not_the_datas_is_recognised(classes: int) -> None:
    data, labels = with_classes(*"abcd"[:classes]), torch.arange(400) % classes
    with pytest.raises(
        ValueError, match=r"another order \(a as b, .*\) it would be right on 100.00 %.*--teacher_classes"
    ):
        check_teacher("t", outputs((labels + 1) % classes, classes, labels), data, {})


def test_two_classes_that_stand_for_each_other_are_named() -> None:
    answers = torch.tensor([0, 2, 1, 3])[LABELS]
    with pytest.raises(
        ValueError, match=r"right on 50.00 % of 400 .* order \(b as c, c as b\) it would be right on 100"
    ):
        check_teacher("t", outputs(answers), DATA, {})
    note = check_teacher("t", outputs(answers), DATA, {}, trust=True)
    assert note is not None
    assert "its class order is not the data's" in note


def test_numbered_classes_in_natural_order_are_named_so() -> None:
    names = tuple(sorted(map(str, range(1, 13))))
    labels = torch.arange(240) % 12
    natural = sorted(names, key=int)
    answers = torch.tensor([natural.index(name) for name in names])[labels]
    with pytest.raises(
        ValueError, match=r"in natural order \(1, 2, 3, ...\) .* 100.00 %: give --teacher_classes natural"
    ):
        check_teacher("t", outputs(answers, 12, labels), with_classes(*names), {})


@pytest.mark.parametrize("seed", range(5))
def test_a_mediocre_network_and_noise_are_given_no_order(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (60,), generator=generator)
    noise = torch.randint(0, 4, (60,), generator=generator)
    for share in (0.0, 0.5, 0.7):
        answers = torch.where(torch.rand(60, generator=generator) < share, labels, noise)
        assert order_problem(outputs(answers, labels=labels), DATA.classes, None) is None


def test_probabilities_are_told_from_logits() -> None:
    scores = Scores(outputs(half_right()).logits.softmax(1), LABELS)
    with pytest.raises(
        ValueError, match=r"t returns probabilities \(each row sums to one\), and methods read logits; wrap it in"
    ):
        check_teacher("t", scores, DATA, {})


@pytest.mark.parametrize("spoilt", [float("nan"), float("inf")])
def test_a_teacher_that_answers_no_numbers_is_refused(spoilt: float) -> None:
    scores = outputs(LABELS)
    scores.logits[7, 0] = spoilt
    with pytest.raises(
        ValueError, match="the outputs of the teacher t contain NaN or infinity; load another checkpoint"
    ):
        check_teacher("t", scores, DATA, {})


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
