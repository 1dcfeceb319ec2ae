"""Steps of decoding an image: deep pixels, transparency, and files that are something else."""
