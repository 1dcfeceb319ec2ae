"""What a distillation will take and how fast its students are, told before anything is trained."""
