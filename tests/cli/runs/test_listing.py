"""What a list of runs says about each."""

from pathlib import Path

import pytest

from stillhouse.cli.runs.listing import Listed, listed, listed_run, megabytes, table, told_apart
from tests.helpers.commands import printed


def run(name: str = "a", **more: object) -> Listed:
    known = {"config": {"epochs": 20}, "epochs": 12, "top1": 97.5, "is_done": False, "is_in_use": False}
    return Listed(Path("runs") / name, **{**known, "size": 2_500_000, "changed": 7300.0, **more})  # type: ignore[arg-type]


def test_a_line_says_how_far_a_run_is() -> None:
    _, _, *lines = printed(table([run(), run(is_done=True, epochs=20), run(is_in_use=True), run(problem="x")], 80), 80)
    assert [line.split()[1:] for line in lines] == [
        ["12/20", "97.50", "2.5", "MB", "2", "h", "ago"],
        ["20", "done", "97.50", "2.5", "MB", "2", "h", "ago"],
        ["12/20", "now", "97.50", "2.5", "MB", "2", "h", "ago"],
        ["damaged", "97.50", "2.5", "MB", "2", "h", "ago"],
    ]


@pytest.mark.parametrize("width", [80, 100, 120])
def test_a_long_name_loses_its_middle_and_no_line_is_too_long(width: int) -> None:
    lines = printed(table([run("digits-" + "x" * 200 + "-1a2b3c4d", is_in_use=True)], width), width)
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert "digits-" in lines[2]
    assert "-1a2b3c4d " in lines[2]


def test_a_narrow_terminal_shows_names_and_says_which_columns_it_leaves_out() -> None:
    lines = printed(table([run("digits-resnet8-seed0-1a2b3c4d")], 48), 48)
    assert lines[2].split()[0].startswith("digits-")
    assert lines[-1] == "left out at this width: size, changed"


def test_what_tells_runs_apart_stays_in_their_names() -> None:
    alone = "photos-timm_test_resnet-seed0-epochs6-schedulecosine-cropshifted-05f6c6d2"
    kd = "photos-timm_test_resnet-from-timm_resnet18-CE+KD-seed0-epochs6-schedulecosine-cropshifted-55b9adc2"
    at = kd.replace("KD", "AT").replace("55b9adc2", "aaaaaaaa")
    assert told_apart([kd, at, alone], 34) == [
        "..from..CE+KD..55b9adc2",
        "..from..CE+AT..aaaaaaaa",
        "photos-timm_test_resnet..05f6c6d2",
    ]
    seeds = [name.replace("seed0", f"seed{seed}") for seed in range(2) for name in (kd, alone)]
    assert told_apart(seeds, 40)[1::2] == [f"photos-timm_test_resnet-seed{seed}..05f6c6d2" for seed in range(2)]
    assert told_apart([kd, at, alone], 200) == [kd, at, alone]


def test_damaged_runs_are_listed_and_other_folders_are_not(tmp_path: Path) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "config.yaml").write_text("{epochs: 3}")
    (tmp_path / "damaged" / "metrics.jsonl").write_text("no\n")
    (tmp_path / "other").mkdir()
    (found,) = listed(tmp_path)
    assert (found.state, found.can_be_resumed) == ("damaged", False)
    assert listed_run(tmp_path / "nowhere") is None


@pytest.mark.parametrize(("size", "said"), [(0, "0.0 MB"), (2_540_000, "2.5 MB"), (3.2e9, "3.2 GB")])
def test_sizes(size: float, said: str) -> None:
    assert megabytes(size) == said
