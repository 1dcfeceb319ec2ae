"""Durations as typed: a budget of hours, minutes and seconds, and a latency in milliseconds."""

from __future__ import annotations

import re

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0}
_PART = r"(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
_MOST = 366 * 86400.0  # seconds: more is a typing error
_SHOWN = 50  # letters of what was typed, in messages


def read_seconds(option: str, typed: str) -> float:
    """Return the seconds of a duration with its units, such as 2h, 1h30m, 45 min or 90s.

    Args:
        option: Its name with two hyphens, for messages.

    Raises:
        ValueError: If it cannot be read.
    """
    text = typed.strip().lower()
    parts = re.findall(rf"{_PART}\s*(min|[dhms])\s*", text)
    if not parts or not re.fullmatch(rf"({_PART}\s*(min|[dhms])\s*)+", text):
        raise ValueError(f"{option} must be a time with its unit, such as 30m, 2h or 1h30m, not {text[:_SHOWN]!r}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds <= _MOST:
        raise ValueError(f"{option} must be above 0 and at most a year, not {text[:_SHOWN]!r}")
    return seconds


def read_milliseconds(option: str, typed: str | float) -> float:
    """Return the milliseconds of a latency, such as 5ms, 5 ms or 0.005s; a number alone is of milliseconds.

    Args:
        option: Its name with two hyphens, for messages.

    Raises:
        ValueError: If it cannot be read.
    """
    text = str(typed).strip().lower()
    match = re.fullmatch(rf"{_PART}\s*(ms|s|us)?", text)
    if not match:
        raise ValueError(f"{option} must be a time such as 5ms or 0.005s, not {text[:_SHOWN]!r}")
    found = float(match[1]) * {"s": 1000.0, "us": 0.001}.get(match[2] or "ms", 1.0)
    if not 0 < found <= 1000 * _MOST:
        raise ValueError(f"{option} must be above 0, not {text[:_SHOWN]!r}")
    return found
