"""Hostile files, one of each kind at a time: see `python -m tests.hostile --help`."""
