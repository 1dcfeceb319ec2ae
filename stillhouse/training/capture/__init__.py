"""Training steps as CUDA graphs: recorded once, then repeated without asking the host anything."""
