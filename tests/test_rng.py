import torch

from stillhouse.rng import seeded, stream, stream_seed


def _draws(seed: int, purpose: str, position: int = 0) -> list[float]:
    return torch.rand(4, generator=stream(seed, purpose, position)).tolist()


def test_a_stream_is_a_function_of_its_three_coordinates() -> None:
    assert _draws(1, "order", 2) == _draws(1, "order", 2)
    others = [_draws(2, "order", 2), _draws(1, "views", 2), _draws(1, "order", 3)]
    assert _draws(1, "order", 2) not in others


def test_coordinates_do_not_run_into_each_other() -> None:
    seeds = {stream_seed(seed, purpose, position) for seed in range(12) for purpose in "ab" for position in range(12)}
    assert len(seeds) == 12 * 2 * 12
    assert stream_seed(1, "a", 11) != stream_seed(1, "a/1", 1)


def test_seeds_fit_every_generator() -> None:
    assert all(0 <= stream_seed(seed, "order") < 2**63 for seed in range(200))


def test_streams_are_the_same_on_every_machine_and_in_every_version() -> None:
    assert stream_seed(0, "order", 0) == 1829853113658518448


def test_streams_take_no_part_in_global_state() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    _draws(1, "order")
    assert torch.equal(torch.rand(3), expected)


def test_seeded_sets_the_global_generators_for_a_while() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with seeded(3, "init"):
        inside = torch.rand(5)
    assert torch.equal(torch.rand(3), expected)
    with seeded(3, "init"):
        assert torch.equal(torch.rand(5), inside)


def test_seeded_leaves_no_trace_after_an_error() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    try:
        with seeded(3, "init"):
            raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.rand(3), expected)
