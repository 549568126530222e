"""What the author of a plugin needs for tests: the conformance suite that every dialect passes."""
