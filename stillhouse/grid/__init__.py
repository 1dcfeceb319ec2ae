"""Grids: every combination of some values of arguments, or a search among them, chosen by validation images."""
