"""The databases to measure on: each a module with its stores and the list of who takes part."""
