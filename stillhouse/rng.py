"""Independent random streams: every draw is a function of (seed, purpose, position), never of global state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, purpose: str, position: int = 0) -> int:
    """A 63-bit seed that no other (seed, purpose, position) shares in practice."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, purpose: str, position: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that starts where (seed, purpose, position) says."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, purpose, position))


@contextmanager
def seeded(seed: int, purpose: str, position: int = 0) -> Iterator[None]:
    """Inside, PyTorch's global generators follow this stream; outside, they are as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, purpose, position))
        yield
