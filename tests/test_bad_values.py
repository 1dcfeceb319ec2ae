"""Bad values end with one sentence and exit code 2: every argument of every method, and of every option one."""

from pathlib import Path

import pytest

from tests.bad_values import Ground, arguments, judge, options


def test_every_argument_of_every_method_has_its_range() -> None:
    tried = list(arguments())
    assert len(tried) > 400
    wrong = {f"{name}({argument}={value})": judge(name, argument, value) for name, argument, value in tried}
    assert {where: what for where, what in wrong.items() if what} == {}


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.make(tmp_path_factory.mktemp("ground"))


def sample() -> list[tuple[str, str, str]]:
    """Of the bad values of each option one, another for each option; all of them: python -m tests.bad_values."""
    by_option: dict[str, list[tuple[str, str, str]]] = {}
    for command, option, value in options():
        by_option.setdefault(option, []).append((command, option, value))
    return [tried[place % len(tried)] for place, tried in enumerate(by_option.values())]


def test_every_option_has_its_range(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        f"{command} --{option} {value[:20]}": ground.ends(command, option, value) for command, option, value in sample()
    }
    assert {where: what for where, what in wrong.items() if what} == {}
    capsys.readouterr()


def test_a_value_that_is_taken_is_found(ground: Ground, tmp_path: Path) -> None:
    assert ground.ends("train", "seed", "7") == "ended with 0"
    assert judge("KD", "temperature", "4.0") == "was taken"
