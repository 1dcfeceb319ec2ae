"""Options of rooms."""

import pytest
import torch

from stillhouse.cli.groups.rooms import RoomOptions


def test_a_cpu_has_one_process_unless_more_are_asked_for() -> None:
    cpu = torch.device("cpu")
    assert RoomOptions().processes_on(cpu) == 1
    assert RoomOptions(processes=3).processes_on(cpu) == 3


def test_a_part_of_the_epochs_is_for_a_job_with_a_room() -> None:
    assert RoomOptions(room=2, until=0.5).until == 0.5
    with pytest.raises(ValueError, match=r"--until 0.5 is for a job that trains one room; add --room"):
        RoomOptions(until=0.5)
