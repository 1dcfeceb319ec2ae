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
    """Return a generator that is seeded by (seed, purpose, position)."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, purpose, position))


@contextmanager
def preserved() -> Iterator[None]:
    """Restore PyTorch's global generators after the block, including those of all GPUs."""
    with torch.random.fork_rng(range(torch.cuda.device_count())):  # without indices it warns if there are several GPUs
        yield


@contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's global generators within the block, and restore them afterwards."""
    with preserved():
        torch.manual_seed(seed)
        yield


@contextmanager
def seeded(seed: int, purpose: str, position: int = 0) -> Iterator[None]:
    """Seed PyTorch's global generators from a stream within the block, and restore them afterwards."""
    with reseeded(stream_seed(seed, purpose, position)):
        yield
