"""A method around another one."""

from collections.abc import Sequence

from ...method import Method
from .delegating import Delegating


class Wrapper(Delegating):
    """A method around another one, to which it leaves everything but the loss.

    Args:
        base: The method inside. Its weight is the wrapper's.
    """

    base: Method

    def __init__(self, base: Method):
        super().__init__(base.weight, [base])
        self.base = base

    def inside(self) -> Sequence[tuple[str, Method]]:
        return [("", self.base)]
