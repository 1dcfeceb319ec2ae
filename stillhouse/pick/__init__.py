"""A choice among students that are fast enough: latency first, then successive halving within a budget of time."""
