"""Folders of images: which folders are splits and classes, and what is left out."""
