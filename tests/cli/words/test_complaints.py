"""Whatever is wrong with a command line is said with what to type instead."""

import pytest

from stillhouse.cli.words.complaints import misread

HAS, TAKES = "stillhouse evaluate has", "stillhouse evaluate takes the run without --run"
SEE = "See stillhouse evaluate --help"


@pytest.mark.parametrize(
    ("complaint", "says"),
    [
        ("Unrecognized arguments: --bacth_size=3", f"{HAS} no option --bacth_size. Did you mean --batch_size? {SEE}"),
        (
            "Unrecognized arguments: --batch-size",
            f"{HAS} no option --batch-size; it is --batch_size. {SEE}",
        ),
        ("Unrecognized arguments: batch_size=3", f"unexpected argument 'batch_size=3'; write --batch_size=3. {SEE}"),
        (
            "Unrecognized arguments: --run",
            f"{TAKES}: stillhouse evaluate RUN. {SEE}",
        ),
        ("argument --lr: expected one argument", f"--lr needs a value. {SEE}"),
        ("the following arguments are required: run", f"stillhouse evaluate needs a run folder. {SEE}"),
        ("another complaint", f"another complaint. {SEE}"),
    ],
)
def test_complaints_say_what_to_type_instead(complaint: str, says: str) -> None:
    assert misread("evaluate", complaint, ["batch_size", "lr"], {"run": "a run folder"}) == says
