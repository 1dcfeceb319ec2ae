"""Training steps as CUDA graphs: recorded once, then replayed without involving the host."""
