"""The loss doctor: each loss term's share of the gradient, and what is wrong with it."""
