"""The file of weights in a run's folder. No PyTorch is imported."""

from __future__ import annotations

from pathlib import Path

STUDENT = "student.safetensors"  # of a student with a teacher; in runs of 0.1.0 of any network
MODEL = "model.safetensors"  # of a network that learned by itself


def weights_in(folder: Path) -> Path:
    """Return the file of weights in a run's folder, or the one that a student's run would have.

    Raises:
        ValueError: If both are there, of which a run writes one.
    """
    found = [folder / name for name in (MODEL, STUDENT) if (folder / name).is_file()]
    if len(found) > 1:
        raise ValueError(
            f"{folder} holds {MODEL} and {STUDENT}, and a run has one of them; move the other away, or name the file"
        )
    return found[0] if found else folder / STUDENT


def weights_at(path: Path) -> Path:
    """Return the file of weights in a run's folder; any other path as it is."""
    found = weights_in(path)
    return found if found.is_file() else path
