"""Layers that two or more methods share; those that only one method needs stay in its file."""
