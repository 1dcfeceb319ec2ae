"""The teacher cache: the outputs of a teacher, written down and read by later students."""
