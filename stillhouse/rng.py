"""Independent random streams: every draw is a function of (seed, purpose, position), never of global state."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, purpose: str, position: int = 0) -> int:
    """Return a 63-bit seed that no other (seed, purpose, position) shares in practice."""
    digest = hashlib.blake2b(f"{seed}/{purpose}/{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, purpose: str, position: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator that starts where (seed, purpose, position) says."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, purpose, position))


@contextmanager
def preserved() -> Iterator[None]:
    """Put PyTorch's global generators back afterwards, those of all GPUs included."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # without their numbers it warns of several GPUs
        yield


@contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Let PyTorch's global generators start from a seed inside, and put them back afterwards."""
    with preserved():
        torch.manual_seed(seed)
        yield


@contextmanager
def seeded(seed: int, purpose: str, position: int = 0) -> Iterator[None]:
    """Let PyTorch's global generators follow a stream inside, and put them back afterwards."""
    with reseeded(stream_seed(seed, purpose, position)):
        yield
