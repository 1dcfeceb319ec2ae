"""Runs of commands: built from options, many in other processes, and notes about earlier ones."""
