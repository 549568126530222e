"""Models: classes with type hints that become tables."""
