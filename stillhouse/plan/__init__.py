"""A distillation before anything is trained: its data, its hours, and how fast its students are."""
