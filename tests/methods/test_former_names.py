"""Names of other code bases lead to something that exists here."""

import inspect

from stillhouse.methods import former_names
from stillhouse.methods.parse import catalogue, parse


def test_every_method_that_is_offered_exists() -> None:
    for name, here in former_names.METHODS.items():
        assert name == name.lower()
        assert here == "--optimizer dot" or parse("ScaleDecoupled(KD)" if here == "ScaleDecoupled" else here)


def test_every_argument_that_is_offered_is_taken_by_a_method() -> None:
    taken = {argument for cls in catalogue().values() for argument in inspect.signature(cls).parameters}
    for name, offered in former_names.ARGUMENTS.items():
        assert name == name.lower()
        assert set(offered) <= taken
