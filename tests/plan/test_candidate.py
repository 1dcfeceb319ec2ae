"""Networks with what they cost."""

from stillhouse.export.latency import Latency
from stillhouse.plan.candidate import Candidate, situations
from stillhouse.plan.speed import Speed

FAST, SLOW = Speed(1, 2, Latency(1.0, 2.0, 10)), Speed(32, 1, Latency(20.0, 30.0, 10))


def test_a_latency_is_that_of_a_situation() -> None:
    one = Candidate("small", 1000, 10, [FAST, SLOW])
    assert one.latency(1, 2) is FAST
    assert one.latency(32, 1) is SLOW
    assert one.latency(1, 1) is None


def test_situations_are_those_of_any_network_in_order() -> None:
    assert situations([Candidate("a", 1, 1, [SLOW]), Candidate("b", 1, 1), Candidate("c", 1, 1, [FAST])]) == [
        (1, 2),
        (32, 1),
    ]
