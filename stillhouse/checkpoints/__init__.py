"""Read and write weights: every public format is read, and no file can run code."""

from .files import (
    about_weights as about_weights,
    fingerprint as fingerprint,
    load_state as load_state,
    save_state as save_state,
    save_weights as save_weights,
    write_atomically as write_atomically,
)
from .formats import read_weights as read_weights
from .load import load_weights as load_weights
