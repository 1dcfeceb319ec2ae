"""The options of each command. They import no PyTorch, so that help and refusals come at once."""
