"""Runs of commands: many in other processes, and notes about earlier ones."""
