"""The page: what was measured, what was not, and the pictures that were drawn."""

from stillhouse.checkpoints import fingerprint
from stillhouse.evaluation.corruptions import CORRUPTIONS
from stillhouse.evaluation.markdown import page
from stillhouse.evaluation.report import Report
from stillhouse.evaluation.robustness import Robustness
from tests.helpers.evaluations import NAMES, made

NETWORKS = [made("student", 5, "small"), made("teacher", 3, "large")]


def test_the_page_has_accuracy_differences_classes_mistakes_and_notes() -> None:
    text = page(Report(NETWORKS, "pets", "abc", NAMES, ["no baseline here"]), ["classes"], ["svg", "png"])
    assert text.startswith("# small on pets\n")
    assert "* note: no baseline here" in text
    assert "| student | small | 91.67 |" in text
    assert "| teacher | -3.33 |" in text
    assert "| ant | bee | 2 | 1 |" in text
    assert "| ant | ant |" not in text  # no mistake
    assert "![classes](classes.svg)" in text
    assert "reliability.svg" not in text  # was not drawn


def test_a_network_alone_is_not_compared() -> None:
    text = page(Report(NETWORKS[:1], "pets", "abc", NAMES), [], ["pdf"])
    assert "Student minus" not in text
    assert "Flips against" not in text


def test_a_picture_that_no_page_shows_is_named() -> None:
    assert "Picture: `confusion.pdf`" in page(Report(NETWORKS, "pets", "abc", NAMES), ["confusion"], ["pdf"])


def test_many_classes_are_said_to_be_in_a_file() -> None:
    names = [f"class {i}" for i in range(3)]
    text = page(Report(NETWORKS, "pets", "abc", names), [], ["svg"])
    assert "more classes are in" not in text


def test_robustness_is_on_the_page_if_it_was_measured() -> None:
    right = {role: {one.name: [8, 6, 4, 2, 0] for one in CORRUPTIONS} for role in ("student", "teacher")}
    found = Robustness(20, 60, 16, {"student": 10, "teacher": 20}, right)
    text = page(Report(NETWORKS, "pets", "abc", NAMES, (), found), ["robustness"], ["svg"])
    assert "20 of the 60 held-out images" in text
    assert "use for images of 32 px; the blur's width is scaled to 16 px" in text
    assert "| teacher | 100.00 |" in text
    assert "![robustness](robustness.svg)" in text
    assert "## Robustness" not in page(Report(NETWORKS, "pets", "abc", NAMES), [], ["svg"])


def test_the_verdict_stands_before_all_tables() -> None:
    text = page(Report(NETWORKS, "pets", "abc", NAMES, ["a note"], verdict=["gain: +1.00 * 2"]), [], ["svg"])
    assert text.startswith("# small on pets\n\n* gain: +1.00 \\* 2\n\n* note: a note\n\n## Accuracy")


def test_the_page_says_what_guessing_is_worth_and_which_weights_were_measured() -> None:
    labels = NETWORKS[0].scores.labels.bincount()
    text = page(Report([*NETWORKS, made("against", 2, "old")], "pets", "abc", NAMES), [], ["svg"])
    share = f"{100 * int(labels.max()) / int(labels.sum()):.2f}"
    name = NAMES[int(labels.argmax())]
    assert f"To guess the most frequent class ({name}) of every image is right on {share} %." in text
    assert "## Flips against the other network (against), by class" in text
    hashes = [fingerprint(one.network.net.model) for one in NETWORKS]
    assert f"Fingerprint of the data: abc. Hashes of the weights: student {hashes[0]}, teacher {hashes[1]}" in text
