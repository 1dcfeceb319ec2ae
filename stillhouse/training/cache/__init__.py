"""The teacher cache: a teacher's outputs, saved for later students."""
