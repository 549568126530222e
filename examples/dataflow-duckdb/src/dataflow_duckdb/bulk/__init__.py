"""Ways to write many rows, a module each."""
