"""The words of a command line: names that options have elsewhere, and types in plain words."""
