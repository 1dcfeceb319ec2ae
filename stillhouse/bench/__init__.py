"""Comparisons: pairs x methods x seeds, each student an ordinary run, as many side by side as memory allows."""
