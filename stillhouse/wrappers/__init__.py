"""Methods that take methods: one import per wrapper."""
