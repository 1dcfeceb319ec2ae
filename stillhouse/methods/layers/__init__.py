"""Layers that two methods or more share; what only one needs stays in its file."""
