"""The databases to measure on: each a module with its stores."""
