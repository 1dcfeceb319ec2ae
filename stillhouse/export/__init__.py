"""Trained students where they are used: classes of images, files for other programs, and proof that these agree."""
