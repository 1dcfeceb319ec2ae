"""Subjects for the laws: methods that somebody could have written."""

from collections.abc import Callable

import pytest

from stillhouse.contract import Broken, Subject
from stillhouse.method import Method
from stillhouse.methods.parse import MethodSpec


def subject(cls: type[Method], **arguments: object) -> Subject:
    return Subject(MethodSpec(cls.__name__, cls, arguments))


def sentence(law: Callable[[Subject], str], cls: type[Method]) -> str:
    """With which a law is broken."""
    with pytest.raises(Broken) as broken:
        law(subject(cls))
    return str(broken.value)
