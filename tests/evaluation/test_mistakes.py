"""The worst mistakes: wrong guesses only, the most confident first, with the names of their files."""

from dataclasses import replace
from pathlib import Path

import torch

from stillhouse.data import load
from stillhouse.evaluation.measured import Measured
from stillhouse.evaluation.mistakes import worst
from stillhouse.training.evaluation import Scores
from tests.helpers.data import quick_data
from tests.helpers.evaluations import made
from tests.helpers.pictures import write_pictures


def test_wrong_guesses_are_ranked_by_confidence() -> None:
    found = worst([made("student", 5), made("teacher", 3)], quick_data())
    assert [one.index for one in found] == [0, 1, 2, 3, 4]  # ever less sure
    assert [(one.label, one.guess) for one in found[:3]] == [(0, 1), (1, 2), (2, 0)]
    student = made("student", 5)
    assert found[0].confidence == 100 * float(student.scores.logits[0].double().softmax(0).max().float())
    assert [one.others["teacher"] for one in found] == [False, False, False, True, True]
    assert found[0].file is None
    assert len(worst([student], quick_data(), most=2)) == 2


def test_a_confident_mistake_late_in_the_data_is_first() -> None:
    student = made("student", 5)
    logits = student.scores.logits.clone()
    logits[50] = torch.tensor([9.0, 0.0, 0.0])  # an image of class 2
    assert worst([replace(student, scores=Scores(logits, student.scores.labels))], quick_data())[0].index == 50


def test_files_of_images_on_disk_are_named(tmp_path: Path) -> None:
    data = load(str(write_pictures(tmp_path / "pictures", size=80)))
    labels = data.test.labels
    logits = torch.nn.functional.one_hot((labels + 1) % 3).float()
    student = Measured("student", made("student", 0).network, Scores(logits, labels))
    found = worst([student], data)
    assert len(found) == len(labels)
    for one in found:
        assert one.file is not None
        assert Path(one.file).is_file()
        assert Path(one.file).parent.name == data.classes[one.label]
