"""Distillation inside a training loop of one's own."""
