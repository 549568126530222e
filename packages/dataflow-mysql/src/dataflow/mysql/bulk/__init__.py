"""Many rows at once: a module for each way."""
