"""Small networks, data, trainings and files that several tests use; a test file imports from nowhere else."""
