"""Lists on a command line."""

from stillhouse.cli.words.lists import joined, listed


def test_lists_may_be_typed_without_brackets() -> None:
    words = ["--milestones", "1,2", "--mean=0.5,0.4", "--lr", "1,2", "--std", "[1]"]
    assert listed(words) == ["--milestones", "[1,2]", "--mean", "[0.5,0.4]", "--lr", "1,2", "--std", "[1]"]


def test_what_is_typed_several_times_is_one_list() -> None:
    words = ["--grid", "lr=1,2", "--seeds", "2", "--grid=KD.weight=3", "there"]
    assert joined(words) == ["--grid=lr=1,2;KD.weight=3", "--seeds", "2", "there"]
    assert joined(["--grid"]) == ["--grid"]
